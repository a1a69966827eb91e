"""What becomes of a model's answers when the same speech was recorded otherwise."""
