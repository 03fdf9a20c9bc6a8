"""Feature blocks: one transformer a module."""
