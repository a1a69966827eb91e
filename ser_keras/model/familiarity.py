"""Familiarity of a recording: the likelihood of what the generator did not know yet, as a rank."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from ser_keras.model.objective import DEGREES_OF_FREEDOM

Tensor = Any

_NU = DEGREES_OF_FREEDOM
_LOG_T = math.lgamma((_NU + 1) / 2) - math.lgamma(_NU / 2) - math.log(_NU * math.pi) / 2

# −log density at a distance from the mean in scales, of scale 1. Not of TFP: recognition does
# without it, since it takes nearly a second to import.
_COSTS: dict[str, Callable[[Tensor], Tensor]] = {
    "gaussian": lambda distance: 0.5 * (distance * distance + math.log(2 * math.pi)),
    "laplace": lambda distance: distance + math.log(2),
    "student-t": lambda distance: (_NU + 1) / 2 * ops.log1p(distance * distance / _NU) - _LOG_T,
}


@dataclass(frozen=True)
class Familiarity:
    """The surprisals of the recordings that a model knows, among which another one's has a rank.

    Args:
        quantiles: of the recordings' mean surprisals, ascending, from the least to the most.

    Example:
        >>> familiarity = Familiarity.among([1.0, 2.0, 3.0, 4.0, 5.0])
        >>> familiarity.of(0.0), familiarity.of(4.5), familiarity.of(9.0)
        (1.0, 0.125, 0.0)
    """

    quantiles: tuple[float, ...]

    @classmethod
    def among(cls, surprisals: Sequence[float]) -> Familiarity:
        """Learn from the mean surprisals of recordings; not finite ones are left out."""
        finite = np.asarray(surprisals)[np.isfinite(surprisals)]
        return cls(tuple(np.quantile(finite, np.linspace(0.0, 1.0, 101)).tolist()))

    def of(self, surprisal: float) -> float:
        """Return the share of those recordings that are as surprising as this, or more so."""
        ranks = np.linspace(1.0, 0.0, len(self.quantiles))
        return float(np.interp(surprisal, self.quantiles, ranks))


def surprisal(saliency: Tensor, log_scale: Tensor, likelihood: str) -> Tensor:
    """Return −log p of an observation that was predicted, the mean over its elements, in nats.

    Args:
        saliency: |X_t − x̂_t|, [..., D].
        log_scale: of the distribution that x̂_t is the mean of, [..., D].
        likelihood: its kind, `Objective.likelihood`.

    Example:
        >>> cost = surprisal(np.array([0.0, 0.0]), np.array([0.0, 0.0]), "gaussian")
        >>> round(float(cost), 4)  # log(2 π) / 2
        0.9189
    """
    cost = _COSTS[likelihood](saliency * ops.exp(-log_scale))
    return ops.mean(cost + log_scale, axis=-1)
