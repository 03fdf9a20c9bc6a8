"""Feature blocks, from which models predict: tabular, text and vision features of products."""
