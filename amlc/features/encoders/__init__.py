"""Pretrained encoders of texts and pictures: their settings, their weights and their vectors."""
