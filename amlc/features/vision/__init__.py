"""What models see of a picture."""
