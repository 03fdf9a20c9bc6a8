"""Pricing of new products: the bundle, and how it prices one product or a whole file."""
