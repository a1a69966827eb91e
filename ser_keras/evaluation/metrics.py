"""Accuracy and attention in numbers, from NumPy arrays alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Count utterances by true class (rows) and predicted class: int64 [C, C].

    Args:
        labels: true classes, int [N].
        predicted: predicted classes, int [N].
        classes: C.

    Example:
        >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), classes=2).tolist()
        [[1, 1], [0, 1]]
    """
    pairs = np.bincount(labels * classes + predicted, minlength=classes * classes)
    return pairs.reshape(classes, classes)


def per_class_recall(matrix: np.ndarray) -> np.ndarray:
    """Return the share of each class that was recognised, [C]; NaN for a class without utterances.

    Example:
        >>> per_class_recall(np.array([[1, 1], [0, 0]])).tolist()
        [0.5, nan]
    """
    return ratio(np.diagonal(matrix), matrix.sum(axis=1))


ACCURACIES = ("weighted_accuracy", "unweighted_accuracy")


def accuracies(matrix: np.ndarray) -> tuple[float, float]:
    """Return the `ACCURACIES` of a confusion matrix [C, C].

    Example:
        >>> accuracies(np.array([[3, 1], [0, 1]]))
        (0.8, 0.875)
    """
    recalls = per_class_recall(matrix)
    known = recalls[~np.isnan(recalls)]
    return float(np.trace(matrix) / matrix.sum()), float(known.mean())


def reliability(
    probabilities: np.ndarray, labels: np.ndarray, bins: int = 15
) -> list[dict[str, float]]:
    """Compare confidence and accuracy, by answers sorted into bins of equal width by confidence.

    Args:
        probabilities: of every utterance, [N, C].
        labels: true classes, int [N].
        bins: how many; those without an utterance are left out.

    Returns:
        For each bin its utterances, their mean confidence and their accuracy; nothing where a
        probability is NaN.

    Example:
        >>> reliability(np.array([[0.75, 0.25], [0.75, 0.25]]), np.array([0, 1]))
        [{'utterances': 2, 'confidence': 0.75, 'accuracy': 0.5}]
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    if np.isnan(confidence).any():
        return []
    correct = probabilities.argmax(axis=1) == labels
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    return [
        {
            "utterances": int(inside.sum()),
            "confidence": float(confidence[inside].mean()),
            "accuracy": float(correct[inside].mean()),
        }
        for inside in (bin_of == number for number in range(bins))
        if inside.any()
    ]


def calibration_error(bins: Sequence[Mapping[str, float]]) -> float:
    """Compute how far confidence and accuracy lie apart on average (Guo et al. 2017, Eq. 3).

    Args:
        bins: as `reliability` returns them.

    Returns:
        From 0 (calibrated) to 1; NaN where there is no bin.

    Example:
        >>> calibration_error([{"utterances": 2, "confidence": 0.75, "accuracy": 0.5}])
        0.25
    """
    counts = np.array([each["utterances"] for each in bins])
    gaps = np.array([abs(each["confidence"] - each["accuracy"]) for each in bins])
    return float(ratio((counts * gaps).sum(), counts.sum()))


def by_group(rows: Sequence[Mapping[str, Any]], key: str) -> dict[str, dict[str, float]]:
    """Compute accuracies of each group of utterances, such as those of one speaker.

    Args:
        rows: of `predictions.csv`.
        key: the column that names the group; a row where it is empty belongs to none.

    Returns:
        By group, sorted: utterances, weighted_accuracy, and unweighted_accuracy over the emotions
        that the group has.

    Example:
        >>> row = {"sex": "male", "emotion": "sad", "predicted": "sad"}
        >>> by_group([row, row | {"sex": ""}], "sex")
        {'male': {'utterances': 1, 'weighted_accuracy': 1.0, 'unweighted_accuracy': 1.0}}
    """
    members: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        if row[key]:
            members.setdefault(row[key], []).append(row)
    return {group: _group_accuracy(members[group]) for group in sorted(members)}


def _group_accuracy(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    names = sorted({row[name] for row in rows for name in ("emotion", "predicted")})
    true, predicted = (
        np.array([names.index(row[name]) for row in rows]) for name in ("emotion", "predicted")
    )
    found = accuracies(confusion_matrix(true, predicted, len(names)))
    return {"utterances": len(rows), **dict(zip(ACCURACIES, found, strict=True))}


def ratio(totals: ArrayLike, counts: ArrayLike) -> np.ndarray:
    """Divide totals by counts; NaN where nothing was counted.

    Example:
        >>> ratio([3.0, 0.0], [4, 0]).tolist()
        [0.75, nan]
    """
    dividend, divisor = np.broadcast_arrays(np.asarray(totals, np.float64), counts)
    return np.divide(dividend, divisor, out=np.full(dividend.shape, np.nan), where=divisor != 0)


@dataclass(frozen=True)
class SampledFraction:
    """Share of the observation that the model sampled, 0..1 (Table 2).

    Every model samples its first instant whole, so the shares are given with it and without.

    Example:
        >>> SampledFraction(0.6, 0.4, {"sad": 0.6}, {"sad": 0.4}).per_emotion["sad"]
        0.6
    """

    with_first: float
    after_first: float
    per_emotion: dict[str, float]
    per_emotion_after_first: dict[str, float]


class AttentionTotals:
    """Attention summed over instants, by emotion.

    It is added up batch by batch: the attention of a whole corpus, [N, T, 4096] with patches, is
    too large to keep.

    Args:
        classes: names of the C emotions.
        size: D, values of an observation.

    Example:
        >>> totals = AttentionTotals(["happy", "sad"], size=2)
        >>> totals.add(np.array([[[1, 1], [1, 0]]]), instants=np.array([2]), labels=np.array([1]))
        >>> totals.sampled_fraction().after_first
        0.5
    """

    def __init__(self, classes: Sequence[str], size: int) -> None:
        self.classes = tuple(classes)
        self._first = np.zeros((len(classes), size))
        self._later = np.zeros((len(classes), size))
        self._utterances = np.zeros(len(classes), np.int64)
        self._later_instants = np.zeros(len(classes), np.int64)

    def add(self, attention: np.ndarray, instants: np.ndarray, labels: np.ndarray) -> None:
        """Add a batch.

        Args:
            attention: W_t, zeros and ones [B, T, D]; all zero beyond an utterance's instants.
            instants: instants of each utterance, int [B], at least 1.
            labels: true classes, int [B].
        """
        np.add.at(self._first, labels, attention[:, 0])  # [B, D] to [C, D]
        np.add.at(self._later, labels, attention[:, 1:].sum(axis=1))  # [B, T-1, D] to [C, D]
        np.add.at(self._utterances, labels, 1)
        np.add.at(self._later_instants, labels, instants - 1)

    def sampled_fraction(self) -> SampledFraction:
        """Compute Table 2; NaN where there is no instant."""
        later, later_instants = self._later.mean(axis=1), self._later_instants
        sampled = self._first.mean(axis=1) + later
        instants = self._utterances + later_instants
        return SampledFraction(
            with_first=float(ratio(sampled.sum(), instants.sum())),
            after_first=float(ratio(later.sum(), later_instants.sum())),
            per_emotion=self._by_emotion(ratio(sampled, instants)),
            per_emotion_after_first=self._by_emotion(ratio(later, later_instants)),
        )

    def similarity(self) -> np.ndarray:
        """Compute Figure 2: absolute cosines between the emotions' mean attention vectors.

        First instants are left out: all is sampled there, whatever the emotion.

        Returns:
            [C, C]; NaN where an emotion has no second instant or never sampled in one.
        """
        # The cosine of sums is that of means.
        directions = ratio(self._later, np.linalg.norm(self._later, axis=1, keepdims=True))
        # Rounding puts the cosine of a vector with itself a hair above 1.
        return np.minimum(np.abs(directions @ directions.T), 1.0)

    def _by_emotion(self, values: np.ndarray) -> dict[str, float]:
        return dict(zip(self.classes, values.tolist(), strict=True))
