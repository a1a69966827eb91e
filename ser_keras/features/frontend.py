"""The TensorFlow front end: `features.extract` as a Keras layer of TensorFlow core operations.

It goes into every exported model, so that a server or a phone takes sound, and recognition uses it:
it is faster than librosa, and there on import. Tests, on real speech too, hold it to librosa.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ser_keras.features.mel import mel_filters
from ser_keras.features.spec import FeatureSpec

# Windows transformed together: each takes 2 MB of intermediate results, and more than a processor's
# cache holds is slower.
_GROUP = 2

# Blocks that the mel filters are cut into.
_BLOCKS = 4

# Power below this counts as this: librosa.power_to_db's default.
_LEAST_POWER = 1e-10


@keras.saving.register_keras_serializable("ser_keras")
class Frontend(keras.layers.Layer):
    """Computes observations from sound.

    Always in float32, whatever the policy: half precision has no room for 80 dB.

    Args:
        spec: the observations wanted.

    Example:
        >>> waveform = np.zeros((1, 3 * 22050), np.float32)
        >>> observations, instants = Frontend(ser.FeatureSpec())(waveform, np.array([3 * 22050]))
        >>> observations.shape, int(instants[0])
        (TensorShape([1, 2, 40]), 2)
    """

    def __init__(self, spec: FeatureSpec | dict[str, Any], **kwargs: Any) -> None:
        kwargs |= {"dtype": "float32", "autocast": False, "trainable": False}
        super().__init__(**kwargs)
        self.spec = spec if isinstance(spec, FeatureSpec) else FeatureSpec.from_dict(spec)
        self._hann = _periodic_hann(self.spec.fft_size)
        self._filters = _filter_blocks(self.spec)
        self._cosines = _cosine_transform(self.spec.mel_bands, self.spec.coefficients)
        self.built = True

    def call(self, waveform: tf.Tensor, samples: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Compute the observations of a batch of padded recordings.

        Args:
            waveform: float [B, N], mono, at the specification's sample rate.
            samples: int [B], length of each recording without padding.

        Returns:
            observations, float32 [B, T, *spec.observation_shape], zero where a recording has
            ended, with T the windows that fit into N samples and the silence appended to them; and
            instants, int32 [B], the number of each recording's windows, 0 if shorter than one.
        """
        spec = self.spec
        waveform, samples = tf.cast(waveform, tf.float32), tf.cast(samples, tf.int32)
        if spec.trailing_length:
            # Padding becomes silence, too.
            longest = tf.shape(waveform)[1]
            waveform = tf.where(tf.sequence_mask(samples, longest), waveform, 0.0)
            waveform = tf.pad(waveform, [[0, 0], [0, spec.trailing_length]])
            samples = tf.minimum(samples, longest) + spec.trailing_length
        # [B, N] to [B, T, window_length]
        windows = tf.signal.frame(waveform, spec.window_length, spec.hop_length)
        most = tf.shape(windows)[1]
        beyond_first = (samples - spec.window_length) // spec.hop_length
        instants = tf.clip_by_value(beyond_first + 1, 0, most)
        # Windows of padding are left out: that saves their time and keeps even NaN in them away.
        chosen = tf.cast(tf.where(tf.sequence_mask(instants, most)), tf.int32)  # [V, 2]
        observations = tf.scatter_nd(
            chosen,
            self._extract_in_groups(windows, chosen),
            tf.concat([tf.shape(windows)[:2], spec.observation_shape], 0),
        )
        observations.set_shape([*windows.shape[:2], *spec.observation_shape])
        return observations, instants

    def extract_windows(self, windows: tf.Tensor) -> tf.Tensor:
        """Compute the observations of windows: [M, window_length] to [M, *observation_shape]."""
        spec = self.spec
        if spec.remove_offset:
            windows -= tf.reduce_mean(windows, axis=-1, keepdims=True)
        margin = spec.fft_size // 2
        centered = tf.pad(windows, [[0, 0], [margin, margin]])
        frames = tf.signal.frame(centered, spec.fft_size, spec.frame_hop)  # [M, frames, fft_size]
        # Two dimensions from here to the filters: matrix products are faster so.
        hann = self._constant(self._hann, windows)
        spectrum = tf.signal.rfft(tf.reshape(frames * hann, [-1, spec.fft_size]))
        power = tf.math.square(tf.math.real(spectrum)) + tf.math.square(tf.math.imag(spectrum))
        mel = self._to_mel(power, windows)  # [M * frames, bands]
        values = self._to_decibels(tf.reshape(mel, [-1, spec.frames, spec.mel_bands]), windows)
        if spec.kind == "mfcc":
            cosines = self._constant(self._cosines, windows)
            cepstrum = tf.matmul(tf.reshape(values, [-1, spec.mel_bands]), cosines)
            values = tf.reshape(cepstrum, [-1, spec.frames, spec.coefficients])
        return self._pool(values)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that `from_config` rebuilds the layer from."""
        config = super().get_config()
        del config["dtype"], config["trainable"]
        return config | {"spec": self.spec.to_dict()}

    def _extract_in_groups(self, windows: tf.Tensor, chosen: tf.Tensor) -> tf.Tensor:
        """Compute observations, [V, ...], of windows[chosen], in memory independent of V."""
        count = tf.shape(chosen)[0]
        # No windows are a group too, an empty one: TensorFlow cannot join none at all.
        groups = tf.maximum(1, -(-count // _GROUP))
        shape = self.spec.observation_shape
        results = tf.TensorArray(
            tf.float32, size=groups, infer_shape=False, element_shape=[None, *shape]
        )

        def add(group: tf.Tensor, results: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
            those = tf.gather_nd(windows, chosen[group * _GROUP : (group + 1) * _GROUP])
            return group + 1, results.write(group, self.extract_windows(those))

        _, results = tf.while_loop(lambda group, _: group < groups, add, [0, results])
        return tf.reshape(results.concat(), [count, *shape])

    def _constant(self, numbers: Any, windows: tf.Tensor) -> Any:
        """Return numbers in the form that a graph needs them in; `EdgeFrontend` overrides it."""
        return numbers

    def _to_mel(self, power: tf.Tensor, windows: tf.Tensor) -> tf.Tensor:
        """Sum [rows, frequencies] up to [rows, bands]; `EdgeFrontend` overrides it."""
        bands = [tf.matmul(power[:, low:high], filters) for low, high, filters in self._filters]
        return tf.concat(bands, axis=1)

    def _to_decibels(self, power: tf.Tensor, windows: tf.Tensor) -> tf.Tensor:
        """Take decibels of [M, frames, bands], cut off below the loudest point of each window."""
        audible = tf.maximum(power, self._constant(_LEAST_POWER, windows))
        decibels = self._constant(10.0 / np.log(10.0), windows) * tf.math.log(audible)
        if self.spec.top_db is not None:
            loudest = tf.reduce_max(decibels, axis=[1, 2], keepdims=True)
            top_db = self._constant(self.spec.top_db, windows)
            decibels = tf.maximum(decibels, loudest - top_db)
        return decibels

    def _pool(self, values: tf.Tensor) -> tf.Tensor:
        """Reduce [M, frames, bands] to [M, *observation_shape]."""
        if not self.spec.statistics:
            return values
        pools = {"mean": tf.reduce_mean, "std": tf.math.reduce_std}
        return tf.concat([pools[name](values, axis=1) for name in self.spec.statistics], axis=1)


def _periodic_hann(size: int) -> np.ndarray:
    """Make the Hann window of a Fourier transform, float32 [size]."""
    return (0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(size) / size)).astype(np.float32)


def _cosine_transform(bands: int, coefficients: int) -> np.ndarray:
    """Make the matrix of the orthonormal DCT-II, float32 [bands, coefficients]."""
    band, coefficient = np.arange(bands)[:, np.newaxis], np.arange(coefficients)
    matrix = np.sqrt(2.0 / bands) * np.cos(np.pi * (band + 0.5) * coefficient / bands)
    matrix[:, 0] /= np.sqrt(2.0)
    return matrix.astype(np.float32)


def _filter_blocks(spec: FeatureSpec) -> list[tuple[int, int, np.ndarray]]:
    """Cut the mel filters into blocks of neighbouring bands, without the zeros outside of them.

    Returns, for each block, the first frequency that it reads, the one after its last, and its
    filters, float32 [frequencies, bands].
    """
    filters = mel_filters(spec.sample_rate, spec.fft_size, spec.mel_bands).T
    blocks = []
    for block in np.array_split(filters, _BLOCKS, axis=1):
        read = np.flatnonzero(block.any(axis=1))
        low, high = (int(read[0]), int(read[-1]) + 1) if len(read) else (0, 1)
        blocks.append((low, high, block[low:high]))
    return blocks
