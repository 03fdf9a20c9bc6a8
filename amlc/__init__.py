"""Price products from their catalogue text and image."""

__version__ = "0.1.0"
