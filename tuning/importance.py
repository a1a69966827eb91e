"""Which settings mattered: how much of the trials' scores each explains by itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ser_keras.tuning.spaces import Parameter

SHUFFLES = 1000
FEWEST = 4  # trials: a parabola through three explains everything


@dataclass(frozen=True)
class Importance:
    """What one setting explains.

    Attributes:
        name: of the setting.
        explained: share of the scores' variance, 0..1: of a number by the parabola that fits best,
            of a choice without an order by its values' means.
        by_chance: what 95 of 100 random orders of the scores stay below. With few trials it is
            high, and what does not exceed it has not been shown to matter.
    """

    name: str
    explained: float
    by_chance: float


def importances(
    parameters: Sequence[Parameter], found: Sequence[Mapping[str, Any]], objective: str
) -> list[Importance]:
    """Of every setting that varied, the most important first; none with fewer than 4 trials.

    Settings are looked at one by one: what two do only together is not seen.

    Args:
        parameters: the space's.
        found: rows of trials.
        objective: the score's key.
    """
    scored = [row for row in found if row[objective] is not None]
    if len(scored) < FEWEST:
        return []
    scores = np.array([row[objective] for row in scored], np.float64)
    scores -= scores.mean()
    if not np.any(scores):
        return []
    generator = np.random.default_rng(0)
    shuffled = np.stack([generator.permutation(scores) for _ in range(SHUFFLES)], axis=1)
    results = []
    for parameter in parameters:
        basis = _basis(parameter, [row[parameter.name] for row in scored])
        if basis.shape[1]:
            chance = float(np.quantile(_explained(basis, shuffled), 0.95))
            share = float(_explained(basis, scores[:, np.newaxis])[0])
            results.append(Importance(parameter.name, share, chance))
    return sorted(results, key=lambda result: -result.explained)


def position(parameter: Parameter, value: Any) -> float:
    """Where a value stands among those of its setting, 0 lowest to 1 highest.

    Choices are evenly spaced in the order in which they are listed.
    """
    if not parameter.is_range:
        last = max(len(parameter.values) - 1, 1)
        return parameter.values.index(value) / last
    low, high = float(parameter.low or 0.0), float(parameter.high or 0.0)
    if parameter.scale == "log":
        return (math.log(value) - math.log(low)) / (math.log(high) - math.log(low))
    return (value - low) / (high - low)


def _basis(parameter: Parameter, values: Sequence[Any]) -> np.ndarray:
    """Orthonormal, centred columns whose combinations the scores are explained by, [N, K]."""
    ordered = parameter.is_range or isinstance(parameter.values[0], (int, float))
    if ordered and not isinstance(values[0], bool):
        places = np.array([position(parameter, value) for value in values])
        columns = np.stack([places, places**2], axis=1)
    else:
        columns = np.array([[value == other for other in parameter.values] for value in values])
    left, sizes, _ = np.linalg.svd(columns - columns.mean(axis=0), full_matrices=False)
    return left[:, sizes > 1e-9]


def _explained(basis: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Share of the variance of centred scores [N, M] that lies in the basis [N, K]: [M]."""
    return np.sum((basis.T @ scores) ** 2, axis=0) / np.sum(scores**2, axis=0)
