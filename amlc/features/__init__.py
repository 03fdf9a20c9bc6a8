"""Feature blocks: what models see of a product, one transformer for each source."""
