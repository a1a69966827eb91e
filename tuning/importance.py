"""The share of the variance of the trials' scores that each setting explains by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ser_keras.tuning.spaces import Parameter

_SHUFFLES = 1000
_FEWEST = 4  # trials: a parabola through three explains everything


@dataclass(frozen=True)
class Importance:
    """The importance of one setting.

    Attributes:
        name: the setting.
        explained: share of the scores' variance, 0..1: for a number, explained by the parabola that
            fits best; for a choice without an order, by its values' means.
        by_chance: the share that 95 of 100 random orders of the scores stay below. It is high with
            few trials, and a setting that does not exceed it has not been shown to matter.

    Example:
        >>> Importance("latent_size", explained=0.6, by_chance=0.4).name
        'latent_size'
    """

    name: str
    explained: float
    by_chance: float


def importances(
    parameters: Sequence[Parameter], rows: Sequence[Mapping[str, Any]], objective: str
) -> list[Importance]:
    """Rank the settings that varied, given the rows of a `TrialTable`; fewer than 4 rank none.

    Settings are looked at one by one: an effect that two have only together is not seen.

    Example:
        >>> sizes = Parameter("latent_size", (5, 10, 20))
        >>> rows = [{"latent_size": size, "score": size / 40} for size in (5, 10, 20) * 2]
        >>> round(importances([sizes], rows, "score")[0].explained, 3)
        1.0
    """
    scored = [row for row in rows if row[objective] is not None]
    if len(scored) < _FEWEST:
        return []
    scores = np.array([row[objective] for row in scored], np.float64)
    scores -= scores.mean()
    if not np.any(scores):
        return []
    generator = np.random.default_rng(0)
    shuffled = np.stack([generator.permutation(scores) for _ in range(_SHUFFLES)], axis=1)
    results = []
    for parameter in parameters:
        basis = _basis(parameter, [row[parameter.name] for row in scored])
        if basis.shape[1]:  # else it did not vary
            by_chance = float(np.quantile(_explained(basis, shuffled), 0.95))
            explained = float(_explained(basis, scores[:, np.newaxis])[0])
            results.append(Importance(parameter.name, explained, by_chance))
    return sorted(results, key=lambda result: -result.explained)


def _basis(parameter: Parameter, values: Sequence[Any]) -> np.ndarray:
    """Return orthonormal, centred columns whose combinations explain the scores, [N, K]."""
    ordered = parameter.is_range or isinstance(parameter.values[0], (int, float))
    if ordered and not isinstance(values[0], bool):
        positions = np.array([parameter.position(value) for value in values])
        columns = np.stack([positions, positions**2], axis=1)  # [N, 2], a parabola
    else:
        columns = np.array([[value == other for other in parameter.values] for value in values])
    left, sizes, _ = np.linalg.svd(columns - columns.mean(axis=0), full_matrices=False)
    return left[:, sizes > 1e-9]


def _explained(basis: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return the share of the variance of centred scores [N, M] in the basis [N, K]: [M]."""
    return np.sum((basis.T @ scores) ** 2, axis=0) / np.sum(scores**2, axis=0)
