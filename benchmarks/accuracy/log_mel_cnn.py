"""A small convolutional network on the log-mel spectrogram of three seconds of an utterance."""

from __future__ import annotations

from functools import partial
from typing import Any

import keras
import numpy as np

from benchmarks.accuracy.baseline import Baseline
from benchmarks.accuracy.neural import train_and_answer
from benchmarks.accuracy.recordings import describe
from ser_keras import audio, features
from ser_keras.corpora.utterance import Utterance
from ser_keras.extraction import Extraction
from ser_keras.features import FeatureSpec

# One window of everything that the network gets to hear.
SPEC = FeatureSpec(kind="log-mel", window=3.0, hop=3.0, mel_bands=40, frame_hop=1024, statistics=())
SETTINGS: dict[str, Any] = {
    "features": SPEC.to_dict(),
    "filters": [16, 32, 64, 128],
    "dropout": 0.3,
    "epochs": 30,
    "batch_size": 32,
    "learning_rate": 1e-3,
}


def spectrograms(extraction: Extraction) -> np.ndarray:
    """Compute float32 [N, frames, bands], in decibels."""

    def compute(utterance: Utterance) -> np.ndarray:
        samples = audio.load(utterance.path, SPEC.sample_rate, utterance.start, utterance.end)
        return features.extract(centred(samples, SPEC.window_length), SPEC)[0]

    options = {"benchmark": "log-mel-cnn", "spec": SPEC.to_dict()}
    return describe(
        extraction.corpus, "Log-mel spectrograms", options, SPEC.observation_shape, compute
    )


def centred(samples: np.ndarray, length: int) -> np.ndarray:
    """Cut or pad with silence, as much at the beginning as at the end: [N] to [length]."""
    surplus = len(samples) - length
    if surplus >= 0:
        return samples[surplus // 2 : surplus // 2 + length]
    return np.pad(samples, (-surplus // 2, -surplus - (-surplus // 2)))


def build(inputs: np.ndarray, classes: int) -> keras.Model:
    """Make the network, standardising every band by the training part, [N, frames, bands]."""
    layers = [
        keras.Input(inputs.shape[1:]),
        keras.layers.Normalization(mean=inputs.mean((0, 1)), variance=inputs.var((0, 1))),
        keras.layers.Reshape((*inputs.shape[1:], 1)),
    ]
    for number, filters in enumerate(SETTINGS["filters"]):
        # The first one halves frames and bands itself: most of the time would go there.
        size, stride = (5, 2) if number == 0 else (3, 1)
        layers += [
            keras.layers.Conv2D(filters, size, stride, padding="same", use_bias=False),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.MaxPooling2D(),
        ]
    layers += [
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dropout(SETTINGS["dropout"]),
        keras.layers.Dense(classes),
    ]
    return keras.Sequential(layers)


LOG_MEL_CNN = Baseline(
    title="CNN on log-mel",
    settings=SETTINGS,
    inputs=spectrograms,
    classify=partial(train_and_answer, build=build, settings=SETTINGS),
)
