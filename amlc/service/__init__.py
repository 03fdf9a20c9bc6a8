"""The HTTP service: an API that prices products, and the page that uses it."""
