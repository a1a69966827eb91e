"""The front end in the few operations of TFLite, exact at every precision, with small tables."""

from __future__ import annotations

from typing import Any

import librosa.filters
import numpy as np
import tensorflow as tf

from ser_keras.export.edge.exact import exact
from ser_keras.features.frontend import LEAST_POWER, Frontend
from ser_keras.features.spec import FeatureSpec


class EdgeFrontend(Frontend):
    """As `Frontend`, observing one window at a time.

    Args:
        spec: the observations wanted.
    """

    def __init__(self, spec: FeatureSpec, **kwargs: Any) -> None:
        super().__init__(spec, **kwargs)
        self._bands, self._weights = _neighboring_bands(spec)

    def extract_windows(self, windows: tf.Tensor) -> tf.Tensor:
        """Compute the observation of a window: [1, window_length] to [1, *observation_shape]."""
        spec = self.spec
        if spec.remove_offset:
            windows -= tf.reduce_mean(windows, axis=-1, keepdims=True)
        margin = spec.fft_size // 2
        centered = tf.pad(windows, [[0, 0], [margin, margin]])
        frames = tf.signal.frame(centered[0], spec.fft_size, spec.frame_hop)
        spectrum = tf.signal.rfft(frames * exact(self._hann, windows))
        power = tf.math.square(tf.math.real(spectrum)) + tf.math.square(tf.math.imag(spectrum))
        power = tf.transpose(power)  # [frequencies, frames]
        # Summing up is all there is to do: each frequency has a part in two bands at most.
        falling, rising = (
            tf.math.segment_sum(power * exact(weights[:, np.newaxis], windows), self._bands)
            for weights in self._weights
        )
        mel = falling[1:] + rising[:-1]
        values = self._decibels(tf.transpose(mel), windows)
        if spec.kind == "mfcc":
            values = tf.matmul(values, exact(self._cosines, windows))
        return self._pool(values[tf.newaxis])

    def _decibels(self, power: tf.Tensor, windows: tf.Tensor) -> tf.Tensor:
        """As `Frontend._to_decibels`, of one window [frames, bands], with exact numbers."""
        audible = tf.maximum(power, exact(LEAST_POWER, windows))
        decibels = exact(10.0 / np.log(10.0), windows) * tf.math.log(audible)
        if self.spec.top_db is not None:
            softest = tf.reduce_max(decibels) - exact(self.spec.top_db, windows)
            decibels = tf.maximum(decibels, softest)
        return decibels


def _neighboring_bands(spec: FeatureSpec) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """The mel filters by frequency instead of by band.

    Neighbouring triangles overlap and no others do: a frequency lies on the falling side of one
    band and on the rising side of the next.

    Returns:
        For each frequency of the transform the number, from 1, of the band on whose falling side
        it lies, ascending int32 [frequencies], and its weights on the falling and on the rising
        side, float32 each.
    """
    filters = librosa.filters.mel(sr=spec.sample_rate, n_fft=spec.fft_size, n_mels=spec.mel_bands)
    peaks = librosa.mel_frequencies(spec.mel_bands + 2, fmin=0.0, fmax=spec.sample_rate / 2)[1:-1]
    frequencies = librosa.fft_frequencies(sr=spec.sample_rate, n_fft=spec.fft_size)
    bands = np.searchsorted(peaks, frequencies, side="right")
    padded = np.pad(filters, [(1, 1), (0, 0)])
    places = np.arange(len(frequencies))
    return bands.astype(np.int32), (padded[bands, places], padded[bands + 1, places])
