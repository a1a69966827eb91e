"""Recognition: the emotion of recordings and of endless sound, at every instant."""
