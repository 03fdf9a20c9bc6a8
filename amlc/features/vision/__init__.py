"""Features of the picture: descriptors computed from its pixels."""
