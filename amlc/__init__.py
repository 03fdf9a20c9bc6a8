"""Price products from their catalogue text and image."""
