"""Bootstrap intervals: what else might have been measured with other speakers or utterances.

Utterances of one speaker are alike, so speakers are resampled where they are known (Efron and
Tibshirani 1993, An Introduction to the Bootstrap, chapter 8), else utterances.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ser_keras.evaluation.metrics import ACCURACIES, accuracies

LEVEL = 0.95
RESAMPLES = 1000


def accuracy_intervals(rows: Sequence[Mapping[str, Any]], classes: Sequence[str]) -> dict[str, Any]:
    """Estimate how far accuracies might lie off, at `LEVEL`.

    Args:
        rows: of `predictions.csv`, one per utterance.
        classes: the model's.

    Returns:
        over ("speakers" or "utterances"), their number, level, and by accuracy [low, high].

    Example:
        >>> rows = [{"speaker": name, "emotion": "sad", "predicted": "sad"} for name in "ab"]
        >>> accuracy_intervals(rows, ["happy", "sad"])["unweighted_accuracy"]
        [1.0, 1.0]
    """
    over, units = _units(rows)
    cells = _cells(rows, classes)
    found = [accuracies(_matrix(cells, weights, classes)) for weights in _resampled(units)]
    return {**_description(over, units), **_by_accuracy(np.array(found)[1:])}


def difference_intervals(
    pairs: Sequence[tuple[Sequence[Mapping[str, Any]], Sequence[Mapping[str, Any]]]],
    classes: Sequence[str],
) -> dict[str, Any]:
    """Estimate how two models differ that were tested on the same subsets, first minus second.

    A resample takes the same speakers (or utterances) in all subsets and of both models.

    Args:
        pairs: rows of `predictions.csv` of both models, for each test subset.
        classes: of both.

    Returns:
        As `accuracy_intervals`, with the difference itself: by accuracy {value, low, high}.

    Example:
        >>> rows = [{"speaker": name, "emotion": "sad", "predicted": "sad"} for name in "ab"]
        >>> difference_intervals([(rows, rows)], ["sad"])["weighted_accuracy"]
        {'value': 0.0, 'low': 0.0, 'high': 0.0}
    """
    over, units = _units([row for pair in pairs for row in pair[0]])
    ends = np.cumsum([len(first) for first, _ in pairs])[:-1]
    cells = [[_cells(rows, classes) for rows in pair] for pair in pairs]
    differences = []
    for weights in _resampled(units):
        by_subset = [
            [accuracies(_matrix(each, part, classes)) for each in pair]
            for pair, part in zip(cells, np.split(weights, ends), strict=True)
            if part.any()
        ]  # [subsets, 2 models, 2 accuracies]
        first, second = np.mean(by_subset, axis=0)
        differences.append(first - second)
    values, *others = differences
    found = _by_accuracy(np.array(others))
    return {
        **_description(over, units),
        **{
            name: {"value": float(value), "low": found[name][0], "high": found[name][1]}
            for name, value in zip(ACCURACIES, values, strict=True)
        },
    }


def percentile_interval(resampled: np.ndarray) -> np.ndarray:
    """Return the lower and the upper bound at `LEVEL` of resampled values: [N, …] to [2, …].

    Example:
        >>> percentile_interval(np.arange(101.0)).round(1).tolist()
        [2.5, 97.5]
    """
    tail = 100 * (1 - LEVEL) / 2
    bounds: np.ndarray = np.nanpercentile(resampled, [tail, 100 - tail], axis=0)
    return bounds


def _units(rows: Sequence[Mapping[str, Any]]) -> tuple[str, np.ndarray]:
    """Return what is resampled, and the index of each utterance's, int [N]."""
    speakers = [row["speaker"] for row in rows]
    if all(speakers) and len(set(speakers)) > 1:
        return "speakers", np.unique(speakers, return_inverse=True)[1]
    # The same recording may be in the test subsets of several splits.
    names = [str([row.get(key) for key in ("file", "start", "end")]) for row in rows]
    if len(set(names)) == 1:  # rows without a file
        return "utterances", np.arange(len(rows))
    return "utterances", np.unique(names, return_inverse=True)[1]


def _resampled(units: np.ndarray, seed: int = 0) -> Iterator[np.ndarray]:
    """Yield how often each utterance counts, float [N]: once, then in every resample."""
    yield np.ones(len(units))
    rng, count = np.random.default_rng(seed), int(units.max()) + 1
    for _ in range(RESAMPLES):
        yield np.bincount(rng.integers(count, size=count), minlength=count)[units].astype(float)


def _cells(rows: Sequence[Mapping[str, Any]], classes: Sequence[str]) -> np.ndarray:
    """Return the cell of each utterance in the flat confusion matrix, int [N]."""
    index = {name: position for position, name in enumerate(classes)}
    return np.array([index[row["emotion"]] * len(index) + index[row["predicted"]] for row in rows])


def _matrix(cells: np.ndarray, weights: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    size = len(classes)
    return np.bincount(cells, weights, minlength=size * size).reshape(size, size)


def _description(over: str, units: np.ndarray) -> dict[str, Any]:
    return {"over": over, over: int(units.max()) + 1, "level": LEVEL}


def _by_accuracy(resampled: np.ndarray) -> dict[str, list[float]]:
    """Return [low, high] of accuracies [resamples, 2]."""
    low, high = percentile_interval(resampled)
    return {
        name: [float(low[number]), float(high[number])] for number, name in enumerate(ACCURACIES)
    }
