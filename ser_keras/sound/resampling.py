"""Resampling inside a TensorFlow graph, by a polyphase filter: a sinc in a Kaiser window.

The graph designs the filter itself, since an exported model reads the sample rate in the header of
each recording. With `up` outputs for every `down` inputs, output n lies at position n down / up of
the input and weighs its neighbours there by one of `up` sets of weights (Crochiere and Rabiner,
Multirate Digital Signal Processing, 1983).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import tensorflow as tf

# The filter passes up to 91.3 % of the lower rate's Nyquist frequency, as soxr's high quality does,
# and is 100 dB down at the Nyquist frequency itself.
PASS = 0.913
ATTENUATION = 100.0

# Outputs of one block at most. Every pair of common rates from 8 to 192 kHz has a ratio of fewer.
# Of any other pair from 8 kHz on, the nearest such ratio puts the pitch off by less than 0.1 %.
MOST_OUTPUTS = 640

# Outputs of one block at least: narrow matrix products are slow.
LEAST_OUTPUTS = 128


class Resampler(NamedTuple):
    """A filter that makes every `down` inputs into `up` outputs by one matrix product.

    Example:
        >>> resampler = design(tf.constant(44100, tf.int64), 22050)
        >>> int(resampler.down / resampler.up)
        2
    """

    kernel: tf.Tensor  # float32 [reach, up]: how each output weighs the inputs around its block
    up: tf.Tensor  # int64 []
    down: tf.Tensor  # int64 []
    before: tf.Tensor  # int64 [], inputs before a block that its first output reaches back to

    def inputs(self, outputs: tf.Tensor) -> tf.Tensor:
        """Count the inputs, from `before` the first output's position on, of so many outputs."""
        blocks = -(-outputs // self.up)
        return (blocks - 1) * self.down + tf.shape(self.kernel, tf.int64)[0]

    def resample(self, waveform: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Filter a stretch of sound, [inputs(outputs)] to [outputs], at least one.

        The stretch begins `before` samples ahead of the first output's position.
        """
        reach = tf.shape(self.kernel)[0]
        # Not tf.nn.conv1d: on some processors, oneDNN aborts it from four minutes of sound on.
        blocks = tf.signal.frame(waveform, reach, tf.cast(self.down, tf.int32))  # [blocks, reach]
        return tf.reshape(tf.matmul(blocks, self.kernel), [-1])[:outputs]


def is_exact(from_rate: int, to_rate: int) -> bool:
    """Tell whether a filter has the very ratio of two rates, and not only one near it.

    Example:
        >>> is_exact(48000, 22050), is_exact(44101, 22050)
        (True, False)
    """
    return to_rate // math.gcd(from_rate, to_rate) <= MOST_OUTPUTS


def design(from_rate: tf.Tensor, to_rate: int) -> Resampler:
    """Design the filter from a rate, int64 [], to another, in hertz; equal rates change nothing.

    Example:
        >>> design(tf.constant(16000, tf.int64), 16000).kernel.shape
        TensorShape([128, 128])
    """
    up, down = _ratio(from_rate, to_rate)
    blocks = tf.maximum(LEAST_OUTPUTS // up, 1)
    up, down = up * blocks, down * blocks
    narrowing = tf.minimum(up / down, 1.0)  # float64, as all integers divide to
    # Kaiser's formula for the length of the window.
    transition = math.pi * (1.0 - PASS) * narrowing
    half = tf.math.ceil((ATTENUATION - 7.95) / (2.285 * transition) / 2)
    same = up == down
    before = tf.where(same, tf.zeros([], tf.int64), tf.cast(half, tf.int64))
    kernel = tf.cond(
        same, lambda: tf.eye(up, dtype=tf.float32), lambda: _kernel(up, down, narrowing, half)
    )
    return Resampler(kernel, up, down, before)


def resample(waveform: tf.Tensor, from_rate: int, to_rate: int) -> tf.Tensor:
    """Resample a whole recording, [N] to [ceil(N * to_rate / from_rate)]; see `is_exact`.

    Example:
        >>> resample(np.zeros(48000, np.float32), 48000, 22050).shape
        TensorShape([22050])
    """
    if from_rate == to_rate:
        return waveform
    resampler = design(tf.constant(from_rate, tf.int64), to_rate)
    # 64 bits: minutes of sound times a rate exceed 32.
    inputs = tf.size(waveform, tf.int64)
    outputs = -(-inputs * to_rate // from_rate)
    after = tf.maximum(resampler.inputs(outputs) - resampler.before - inputs, 0)
    return resampler.resample(tf.pad(waveform, [[resampler.before, after]]), outputs)


def _ratio(from_rate: tf.Tensor, to_rate: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Find the ratio of small numbers nearest to to_rate / from_rate: up and down, int64 []."""
    ups = tf.range(1, MOST_OUTPUTS + 1, dtype=tf.int64)
    downs = tf.maximum((2 * ups * from_rate + to_rate) // (2 * to_rate), 1)
    # The error of down / up, times to_rate; the first of equal ones is in lowest terms.
    error = tf.abs(downs * to_rate - ups * from_rate) / ups
    best = tf.argmin(error)
    return ups[best], downs[best]


def _kernel(up: tf.Tensor, down: tf.Tensor, narrowing: tf.Tensor, half: tf.Tensor) -> tf.Tensor:
    """Compute the weights, float32 [reach, up]; output n of a block lies at input n down / up."""
    beta = 0.1102 * (ATTENUATION - 8.7)
    cutoff = (1.0 + PASS) / 2 * narrowing
    positions = tf.range(tf.cast(up, tf.float64)) * (down / up)  # [up]
    reach = 2.0 * half + tf.math.ceil(positions[-1])
    distance = tf.range(-half, reach - half)[:, tf.newaxis] - positions  # [reach, up]
    # A float32 keeps all of what a float32 weight can hold, once the distance is exact.
    inside = tf.cast(tf.maximum(1.0 - tf.square(distance / half), 0.0), tf.float32)
    window = tf.math.bessel_i0(beta * tf.sqrt(inside))
    window = tf.where(inside > 0.0, window, 0.0)
    phase = tf.cast(cutoff * distance, tf.float32)
    weights = tf.math.divide_no_nan(tf.sin(math.pi * phase), math.pi * phase)
    weights = tf.where(phase == 0.0, 1.0, weights) * window
    # A constant stays exactly what it is, in every phase.
    return weights / tf.reduce_sum(weights, axis=0)
