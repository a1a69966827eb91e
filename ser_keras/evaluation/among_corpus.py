"""Answers among only the classes that a corpus has, beside those among all classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

COLUMN = "predicted_among_corpus"  # of the answers in `predictions.csv`


def restrict(
    probabilities: np.ndarray, labels: np.ndarray, sources: Mapping[str, Sequence[int]]
) -> np.ndarray:
    """Leave of each utterance's probabilities those of the classes that occur in its corpus.

    Args:
        probabilities: [N, C].
        labels: true classes, int [N].
        sources: indexes of each corpus' utterances, as `Corpus.by_source` returns them.

    Returns:
        Probabilities [N, C] that sum to 1 again.

    Example:
        >>> probabilities = np.array([[0.5, 0.25, 0.25], [0.5, 0.0, 0.5]])
        >>> restrict(probabilities, np.array([1, 2]), {"tess": [0, 1]}).round(2).tolist()
        [[0.0, 0.5, 0.5], [0.0, 0.0, 1.0]]
    """
    own = np.zeros_like(probabilities)
    for indexes in map(np.asarray, sources.values()):
        cells = np.ix_(indexes, np.unique(labels[indexes]))
        # Not 0: a model that is sure of another class still has to choose.
        own[cells] = np.maximum(probabilities[cells], np.finfo(probabilities.dtype).tiny)
    return own / own.sum(axis=1, keepdims=True)
