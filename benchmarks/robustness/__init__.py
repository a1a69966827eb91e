"""Accuracy on the same speech, recorded, stored or cut otherwise."""
