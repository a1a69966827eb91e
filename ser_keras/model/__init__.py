"""The model: one VRNN step, the Keras model around it, its objective, settings and weights."""
