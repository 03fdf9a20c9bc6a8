"""What prices a new product: the bundle, and the ways through it."""
