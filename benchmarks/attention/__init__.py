"""The worth of attention and generation: answers when either is replaced, and prediction errors."""
