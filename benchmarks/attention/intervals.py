"""Bootstrap intervals over speakers: what else might have been measured with other people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ser_keras.evaluation.intervals import percentile_interval

RESAMPLES = 2000


class Speakers:
    """Resamples of a set of speakers, drawn with replacement.

    Args:
        speakers: of every utterance, [N].
        seed: seed of the draws.
    """

    def __init__(self, speakers: Sequence[str], seed: int = 0) -> None:
        self.names, self._index = np.unique(np.asarray(speakers), return_inverse=True)
        count = len(self.names)
        draws = np.random.default_rng(seed).integers(count, size=(RESAMPLES, count))
        # How often each speaker is in each resample, after the speakers as they are.
        resampled = (draws[..., np.newaxis] == np.arange(count)).sum(axis=1)
        self._times = np.concatenate([np.ones((1, count)), resampled])

    def ratio(self, numerators: np.ndarray, denominators: np.ndarray) -> np.ndarray:
        """Return Σ numerators / Σ denominators over utterances: as is, then of every resample."""
        with np.errstate(invalid="ignore"):
            return self._sums(numerators) / self._sums(denominators)

    def _sums(self, values: np.ndarray) -> np.ndarray:
        by_speaker = np.bincount(self._index, weights=values, minlength=len(self.names))
        return self._times @ by_speaker


def interval(values: np.ndarray) -> dict[str, Any]:
    """Return the value itself, the first, and the interval of the resampled others."""
    low, high = percentile_interval(values[1:])
    return {"value": float(values[0]), "low": float(low), "high": float(high)}
