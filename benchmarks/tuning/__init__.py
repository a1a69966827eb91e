"""Speed of a search with several workers."""
