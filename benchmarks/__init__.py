"""Measurements against peers: accuracy and speed."""
