"""Figures of models and their results: arrays and result dictionaries in, matplotlib figures out.

pyplot is never imported: a figure belongs to whoever asked for it, and the user's backend, style
and open figures stay as they are. Arrays of another shape, and nothing to draw, are a `ValueError`.
"""

from __future__ import annotations

from ser_keras.evaluation.plots.canvas import png, save
from ser_keras.evaluation.plots.explanations import explanation, spectrogram
from ser_keras.evaluation.plots.results import (
    accuracy_comparison,
    attention_similarity,
    confusion_matrix,
    evaluation_figures,
    learning_curves,
    reliability,
    reproduction_figures,
    sampled_fraction,
)

__all__ = [
    "accuracy_comparison",
    "attention_similarity",
    "confusion_matrix",
    "evaluation_figures",
    "explanation",
    "learning_curves",
    "png",
    "reliability",
    "reproduction_figures",
    "sampled_fraction",
    "save",
    "spectrogram",
]
