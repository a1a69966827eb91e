"""The channels of a recording: their mean, or one of them, and whether the mean misleads."""

from __future__ import annotations

import math

import numpy as np

from ser_keras.errors import AudioError, warn_of
from ser_keras.sound.level import SILENT_LEVEL

# Channels that are recordings of one voice correlate; those of two speakers, one a side, do not.
_LEAST_CORRELATION = 0.5
# By how many decibels the mean may be softer than the loudest channel. Of two that have nothing in
# common it is softer by 3, of one channel beside a silent one by 6.
_MOST_LOSS = 15.0


class Mixer:
    """Mixes blocks down to the mean of their channels, or takes one of them.

    Args:
        name: the recording's name in errors.
        channel: from 0; None for the mean.

    Raises:
        AudioError: there is no such channel.

    Example:
        >>> Mixer("stereo", None).mix(np.array([[0.0, 0.5], [-0.5, -0.5]], np.float32))
        array([ 0.25, -0.5 ], dtype=float32)
    """

    def __init__(self, name: str, channel: int | None) -> None:
        self._name = name
        self._channel = channel
        self._sums = self._products = np.zeros(0)
        self._samples = 0

    def mix(self, block: np.ndarray) -> np.ndarray:
        """Mix the next float32 [N, channels] down to [N]."""
        count = block.shape[1]
        if self._channel is not None:
            if not 0 <= self._channel < count:
                expected = f"expected 0 to {count - 1}" if count > 1 else "expected 0, the only one"
                raise AudioError(self._name, f"channel: {expected}, found {self._channel}")
            return np.ascontiguousarray(block[:, self._channel])
        if count > 1:
            if not self._samples:
                self._sums, self._products = np.zeros(count), np.zeros((count, count))
            # float32 products of a block are exact enough, those of hours are not.
            self._sums += block.sum(axis=0, dtype=np.float64)
            self._products += block.T @ block
            self._samples += len(block)
        return block.mean(axis=1)

    def warn(self) -> None:
        """Warn where the mean of what was mixed is not what a user takes it for."""
        if self._samples:
            means = self._sums / self._samples
            covariance = self._products / self._samples - np.outer(means, means)
            if found := _describe(covariance):
                warn_of(self._name, found)


def _describe(covariance: np.ndarray) -> str | None:
    """Say what is wrong with the mean of channels of a covariance [channels, channels]."""
    powers = np.diag(covariance)
    audible = powers > 10 ** (SILENT_LEVEL / 10)
    if not audible.any():
        return None
    mixed, loudest = _decibels(covariance.mean()), _decibels(powers.max())
    if loudest - mixed > _MOST_LOSS:
        return (
            f"the channels cancel in their mean ({mixed:.0f} dB, one alone {loudest:.0f} dB); "
            "take one of them, as by --channel 0"
        )
    scales = np.sqrt(powers[audible])
    correlation = covariance[np.ix_(audible, audible)] / np.outer(scales, scales)
    if correlation.min() < _LEAST_CORRELATION:
        return (
            f"the channels differ (correlation {correlation.min():.2f}), as of a speaker on each "
            "side; the answer is of their mean: --channel each answers for each"
        )
    return None


def _decibels(power: float) -> float:
    return 10.0 * math.log10(max(power, 1e-12))
