"""Features of the catalogue text: TF-IDF terms, topics and similar products."""
