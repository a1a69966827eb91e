"""Sound inside a TensorFlow graph: decoding by tensorflow-io, resampling by a polyphase filter."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np
import tensorflow as tf

from ser_keras.errors import ConfigurationError
from ser_keras.sound.decoding import Header

# The filter passes up to 91.3 % of the lower rate's Nyquist frequency, as soxr's high quality does,
# and is 100 dB down at the Nyquist frequency itself.
PASS = 0.913
ATTENUATION = 100.0

# Outputs that one step of the blockwise filter gives at least: narrow matrix products are slow.
NARROWEST_BLOCK = 128

# Weights that the blockwise filter may have; rates with no common divisor would need billions.
LARGEST_KERNEL = 1 << 22

# Outputs that the sample-by-sample filter computes together.
CHUNK = 4096

# What tensorflow-io decodes: container and coding of the samples to their type and scale. Anything
# else is left to libsndfile.
_PCM = {"PCM_16": (tf.int16, 0, 2.0**15), "PCM_24": (tf.int32, 0, 2.0**31)}
_CODINGS: dict[tuple[str, str], tuple[str, Any, int, float]] = {
    **{("WAV", coding): ("decode_wav", *scale) for coding, scale in _PCM.items()},
    **{("FLAC", coding): ("decode_flac", *scale) for coding, scale in _PCM.items()},
    ("WAV", "PCM_U8"): ("decode_wav", tf.uint8, 128, 128.0),
    ("WAV", "FLOAT"): ("decode_wav", tf.float32, 0, 1.0),
    ("FLAC", "PCM_S8"): ("decode_flac", tf.uint8, 128, 128.0),
    ("OGG", "VORBIS"): ("decode_vorbis", None, 0, 1.0),
    ("MP3", "MPEG_LAYER_III"): ("decode_mp3", None, 0, 1.0),
    ("MPEG", "MPEG_LAYER_III"): ("decode_mp3", None, 0, 1.0),
}


def import_tensorflow_io() -> ModuleType:
    """Import tensorflow-io.

    Raises:
        ConfigurationError: it is not installed, or does not fit the TensorFlow that is.
    """
    try:
        import tensorflow_io

        # Its native operations are loaded when they are first looked up.
        tensorflow_io.audio.decode_wav(tf.constant(b""), dtype=tf.int16)
    except tf.errors.OpError:
        return tensorflow_io
    except (ImportError, NotImplementedError, AttributeError) as error:
        raise ConfigurationError(
            "decoder 'tensorflow-io' needs pip install 'ser-keras[io]', in an environment of its "
            f"own: tensorflow-io fits TensorFlow 2.16 and 2.17 alone, here is {tf.__version__}"
        ) from error
    return tensorflow_io


def can_decode(header: Header) -> bool:
    """Tell whether tensorflow-io has a decoder for such a recording."""
    return (header.container, header.coding) in _CODINGS


def decode(contents: tf.Tensor, header: Header) -> tf.Tensor:
    """Decode a file's bytes by tensorflow-io, in a graph, and mix it down.

    Args:
        contents: string [], the bytes of a file.
        header: of that file, or of any other of the same container and coding.

    Returns:
        float32 [N], mono, full scale is -1 to 1.

    Raises:
        ConfigurationError: tensorflow-io cannot be used.
        tf.errors.OpError: on running, tensorflow-io cannot decode this file.
    """
    name, dtype, zero, scale = _CODINGS[header.container, header.coding]
    decoder: Callable[..., tf.Tensor] = getattr(import_tensorflow_io().audio, name)
    channels = decoder(contents) if dtype is None else decoder(contents, dtype=dtype)
    return tf.reduce_mean((tf.cast(channels, tf.float32) - zero) / scale, axis=1)


@tf.autograph.experimental.do_not_convert  # all of its choices are made in Python
def resample(waveform: tf.Tensor, from_rate: int, to_rate: int) -> tf.Tensor:
    """Resample a recording by a polyphase filter, a sinc in a Kaiser window.

    With L = to_rate / gcd and M = from_rate / gcd, output n lies at position n M / L of the input
    and weighs its neighbours there by one of L sets of weights (Crochiere and Rabiner, Multirate
    Digital Signal Processing, 1983).

    Args:
        waveform: float32 [N].
        from_rate: its sample rate in hertz, known when the graph is made.
        to_rate: the sample rate wanted in hertz.

    Returns:
        float32 [ceil(N * to_rate / from_rate)].
    """
    if from_rate == to_rate:
        return waveform
    divisor = math.gcd(from_rate, to_rate)
    up, down = to_rate // divisor, from_rate // divisor
    weights = _polyphase_weights(up, down)
    # 64 bits: minutes of sound times a rate exceed 32.
    length = -(-tf.shape(waveform, tf.int64)[0] * up // down)
    blocks = max(1, NARROWEST_BLOCK // up)
    if blocks * up * (blocks * down + weights.shape[1]) <= LARGEST_KERNEL:
        return _resample_by_blocks(waveform, length, up * blocks, down * blocks, weights)
    return _resample_by_samples(waveform, length, up, down, weights)


@lru_cache(maxsize=16)
def _polyphase_weights(up: int, down: int) -> np.ndarray:
    """Design the filter: the weights, [up, taps], of the neighbours of an output in each phase."""
    narrowing = min(1.0, up / down)
    # Kaiser's formulas for the length and the shape of the window.
    transition = math.pi * (1.0 - PASS) * narrowing
    half = math.ceil((ATTENUATION - 7.95) / (2.285 * transition) / 2)
    beta = 0.1102 * (ATTENUATION - 8.7)
    cutoff = (1.0 + PASS) / 2 * narrowing
    fraction = np.arange(up)[:, None] * down % up / up
    distance = np.arange(1 - half, half + 1)[None, :] - fraction
    window = np.i0(beta * np.sqrt(np.maximum(0.0, 1.0 - (distance / half) ** 2))) / np.i0(beta)
    weights = cutoff * np.sinc(cutoff * distance) * window
    # A constant stays exactly what it is, in every phase.
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def _resample_by_blocks(
    waveform: tf.Tensor, length: tf.Tensor, up: int, down: int, weights: np.ndarray
) -> tf.Tensor:
    """Compute `up` outputs from every `down` inputs by one matrix product."""
    phases, taps = weights.shape
    before = taps // 2 - 1
    positions = np.arange(up) * down // up
    kernel = np.zeros((int(positions[-1]) + taps, up), np.float32)
    for output, position in enumerate(positions):
        kernel[position : position + taps, output] = weights[output % phases]
    blocks = -(-length // up)
    needed = (blocks - 1) * down + len(kernel) - before
    after = tf.maximum(needed - tf.size(waveform, tf.int64), 0)
    padded = tf.pad(waveform, [[before, after]])
    # Not tf.nn.conv1d: on some processors, oneDNN aborts it from four minutes of sound on.
    frames = tf.signal.frame(padded, len(kernel), down)
    return tf.reshape(tf.matmul(frames, kernel), [-1])[:length]


def _resample_by_samples(
    waveform: tf.Tensor, length: tf.Tensor, up: int, down: int, weights: np.ndarray
) -> tf.Tensor:
    """Gather every output's neighbours, for rates whose blocks would be too large."""
    taps = weights.shape[1]
    padded = tf.pad(waveform, [[taps // 2 - 1, taps]])
    table = tf.constant(weights)

    def outputs(start: tf.Tensor) -> tf.Tensor:
        numbers = start + tf.range(CHUNK, dtype=tf.int64)
        positions = tf.minimum(numbers, length - 1) * down // up
        neighbors = tf.gather(padded, positions[:, None] + tf.range(taps, dtype=tf.int64))
        return tf.reduce_sum(neighbors * tf.gather(table, numbers % up), axis=1)

    chunks = tf.map_fn(
        outputs, tf.range(0, length, CHUNK, dtype=tf.int64), fn_output_signature=tf.float32
    )
    return tf.reshape(chunks, [-1])[:length]
