"""Answers among only the classes that a corpus has, beside those among all classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ser_keras.evaluation.metrics import (
    accuracies,
    by_group,
    calibration_error,
    confusion_matrix,
    per_class_recall,
    reliability,
)

COLUMN = "predicted_among_corpus"  # of the answers in `predictions.csv`


@dataclass(frozen=True)
class AmongCorpus:
    """Numbers of these answers, each as the field of `Evaluation` of that name.

    Example:
        >>> evaluation = ser.evaluate(model, corpus, among_corpus=True, progress=False)
        >>> evaluation.among_corpus.recall == evaluation.recall  # it has all classes
        True
    """

    weighted_accuracy: float
    unweighted_accuracy: float
    recall: dict[str, float]
    confusion_matrix: list[list[int]]
    expected_calibration_error: float
    by_corpus: dict[str, dict[str, float]]


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


def measure(
    own: np.ndarray, labels: np.ndarray, classes: Sequence[str], rows: Sequence[dict[str, Any]]
) -> AmongCorpus:
    """Measure the answers of restricted probabilities, and add them to the rows of predictions.

    Args:
        own: as `restrict` returns them, [N, C].
        labels: true classes, int [N].
        classes: C names.
        rows: of `predictions.csv`; they get the column `COLUMN`.

    Example:
        >>> rows = [{"emotion": "calm", "predicted": "sad"}]
        >>> measure(np.array([[1.0, 0.0]]), np.array([0]), ["calm", "sad"], rows).recall["calm"]
        1.0
        >>> rows[0]["predicted_among_corpus"]
        'calm'
    """
    for row, answer in zip(rows, own.argmax(axis=1), strict=True):
        row[COLUMN] = classes[int(answer)]
    matrix = confusion_matrix(labels, own.argmax(axis=1), len(classes))
    weighted, unweighted = accuracies(matrix)
    answered = [{"corpus": "", **row, "predicted": row[COLUMN]} for row in rows]
    return AmongCorpus(
        weighted_accuracy=weighted,
        unweighted_accuracy=unweighted,
        recall=dict(zip(classes, per_class_recall(matrix).tolist(), strict=True)),
        confusion_matrix=matrix.tolist(),
        expected_calibration_error=calibration_error(reliability(own, labels)),
        by_corpus=by_group(answered, "corpus"),
    )
