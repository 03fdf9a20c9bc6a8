"""Scores by slice, pictures and the page that holds them."""
