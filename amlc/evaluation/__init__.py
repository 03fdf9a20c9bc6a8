"""Scores of the predictions, and checks that the scores can be trusted."""
