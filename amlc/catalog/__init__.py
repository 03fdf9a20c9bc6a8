"""The table contract, parsing of catalogue text, duplicate groups and folds, the sample."""
