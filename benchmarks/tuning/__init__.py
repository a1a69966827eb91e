"""How a search gets faster with workers."""
