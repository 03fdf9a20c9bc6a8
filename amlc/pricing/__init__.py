"""Pricing of new products: the bundle, and what prices one product or a file of them with it."""
