"""Sounds of an answer for the page: what was expected, and what came beyond it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from ser_keras.evaluation.explanation.listening import amplified, sounds_of_power
from ser_keras.export.graph import wav
from ser_keras.export.serving.server import pictures
from ser_keras.export.serving.tf_serving import warm_up
from ser_keras.features.spec import FeatureSpec
from ser_keras.recognition import inversion
from ser_keras.recognition.chunks import ChunkResampler

MOST_SECONDS = 60.0  # of more, mel bands take a processor too long to invert


def of_recording(
    description: Mapping[str, Any], answer: Mapping[str, Any], duration: float, content: bytes
) -> dict[str, str]:
    """Make sounds of the answer to a recording, by a model of log-mel patches.

    Args:
        description: the model's.
        answer: what its function `explain` returns of the recording, as NumPy has it.
        duration: of the recording, in seconds.
        content: the recording, a WAV file that the model could read.

    Returns:
        expected and surprise, as `ser_keras.evaluation.explanation.listening.sounds` has them: WAV
        files as base64.

    Example:
        >>> from ser_keras.export.graph import inference
        >>> described = inference.describe(ser.VRNN.from_preset("tiny"))
        >>> names = ("came", "expected", "saliency", "attention")
        >>> answer = {name: np.full((2, 64 * 40), -30.0) for name in names}
        >>> answer["loudest"] = np.zeros(2)
        >>> sorted(of_recording(described, answer, 1.5, warm_up.wav(np.zeros(24000), 16000)))
        ['expected', 'surprise']
    """
    spec = FeatureSpec.from_dict(description["preset"]["features"])
    whole = pictures.map_of(description, answer, duration)
    came, expected = (
        inversion.mel_power(values + whole.reference, spec)
        for values in (whole.came, whole.expected)
    )
    samples = _samples(content, spec.sample_rate)
    made = amplified(sounds_of_power(spec, whole, samples, came, expected))
    return {
        name: base64.b64encode(warm_up.wav(made[name], spec.sample_rate)).decode()
        for name in ("expected", "surprise")
    }


def _samples(content: bytes, rate: int) -> np.ndarray:
    """Decode a WAV file as the graph does, which no file makes wait; float32 [N], at a rate."""
    contents = tf.constant(content)
    recording = wav.inspect(contents)
    samples = wav.read(contents, recording, tf.zeros([], tf.int64), recording.frames).numpy()
    resampler = ChunkResampler(rate)
    first = resampler.push(samples, int(recording.rate))
    return np.concatenate([first, resampler.finish()])
