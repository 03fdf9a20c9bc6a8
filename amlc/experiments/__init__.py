"""Revisions and experiments beside each other: what changed, and whether it is better."""
