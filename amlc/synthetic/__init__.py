"""A synthetic catalogue in the competition's format, whose best possible SMAPE is known."""
