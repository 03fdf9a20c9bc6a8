"""How good the predictions are, and whether that can be believed."""
