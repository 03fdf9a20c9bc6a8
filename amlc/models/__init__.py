"""Regressors of log price, their losses and targets, the blend, and the search for settings."""
