"""Fine-tuned text and image towers, joined with the dense columns in one network."""
