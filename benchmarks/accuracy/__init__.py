"""Accuracy of other models on the very splits that the VRNN is measured on."""
