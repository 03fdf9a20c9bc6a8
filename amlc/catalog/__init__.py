"""The catalogue: reading and checking its CSV files, parsing its texts, duplicates and folds."""
