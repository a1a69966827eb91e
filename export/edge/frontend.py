"""The front end in the few operations of TFLite, exact at every precision, with small tables.

The converter stores every constant in the precision asked for: a Hann window in 8 bits puts MFCCs
off by tens, and 1e-10 in 16 bits is 0, whose logarithm is infinite. `exact` keeps such constants.
"""

from __future__ import annotations

from typing import Any

import librosa.filters
import numpy as np
import tensorflow as tf

from ser_keras.features.frontend import Frontend
from ser_keras.features.spec import FeatureSpec


def exact(numbers: np.ndarray | float, waveform: tf.Tensor) -> tf.Tensor:
    """Keep float32 constants from being stored in fewer bits, as the bits of int32 constants.

    Args:
        numbers: of any shape; returned as float32, at least one-dimensional.
        waveform: float32 [1, N], an input of the graph. The constants seem to depend on it, or
            they would be computed at conversion, and then be stored in fewer bits.

    Example:
        >>> exact(1e-10, np.zeros((1, 8), "f")).numpy()
        array([1.e-10], dtype=float32)
    """
    bits = np.atleast_1d(np.asarray(numbers, np.float32)).view(np.int32)
    zero = tf.cast(waveform[0, 0] > np.finfo(np.float32).max, tf.int32)
    return tf.bitcast(bits + zero, tf.float32)


class EdgeFrontend(Frontend):
    """The TensorFlow front end for one window at a time, [1, window_length].

    Example:
        >>> window = np.zeros((1, model.features.window_length), "f")
        >>> EdgeFrontend(model.features).extract_windows(window).shape
        TensorShape([1, 13])
    """

    def __init__(self, spec: FeatureSpec) -> None:
        super().__init__(spec)
        self._bands, self._falling, self._rising = _neighboring_bands(spec)

    def _constant(self, numbers: Any, windows: tf.Tensor) -> tf.Tensor:
        return exact(numbers, windows)

    def _to_mel(self, power: tf.Tensor, windows: tf.Tensor) -> tf.Tensor:
        # Each frequency contributes to two neighbouring bands at most: sums replace the product
        # with a matrix [frequencies, bands], which would take most of a small file.
        power = tf.transpose(power)  # [frequencies, frames]
        falling, rising = (
            tf.math.segment_sum(power * exact(weights[:, np.newaxis], windows), self._bands)
            for weights in (self._falling, self._rising)
        )  # [bands + 1, frames] each
        return tf.transpose(falling[1:] + rising[:-1])  # [frames, bands]


def _neighboring_bands(spec: FeatureSpec) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Arrange the mel filters by frequency instead of by band.

    Neighbouring triangles overlap and no others do: a frequency lies on the falling side of one
    band and on the rising side of the next.

    Returns:
        For each frequency of the transform the number, from 1, of the band on whose falling side
        it lies, ascending int32, and its weights on both sides, falling and rising, float32.
    """
    filters = librosa.filters.mel(sr=spec.sample_rate, n_fft=spec.fft_size, n_mels=spec.mel_bands)
    peaks = librosa.mel_frequencies(spec.mel_bands + 2, fmin=0.0, fmax=spec.sample_rate / 2)[1:-1]
    frequencies = librosa.fft_frequencies(sr=spec.sample_rate, n_fft=spec.fft_size)
    bands = np.searchsorted(peaks, frequencies, side="right")
    padded = np.pad(filters, [(1, 1), (0, 0)])  # [bands + 2, frequencies]
    columns = np.arange(len(frequencies))
    return bands.astype(np.int32), padded[bands, columns], padded[bands + 1, columns]
