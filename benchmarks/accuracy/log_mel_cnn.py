"""A small convolutional network on the log-mel spectrogram of three seconds of an utterance."""

from __future__ import annotations

from functools import partial
from typing import Any

import keras
import numpy as np

from benchmarks.accuracy.baseline import Baseline
from benchmarks.accuracy.neural import train_and_answer
from benchmarks.accuracy.spectrograms import SPEC, spectrograms

SETTINGS: dict[str, Any] = {
    "features": SPEC.to_dict(),
    "filters": [16, 32, 64, 128],
    "dropout": 0.3,
    "epochs": 30,
    "batch_size": 32,
    "learning_rate": 1e-3,
}


def build(inputs: np.ndarray, classes: int) -> keras.Model:
    """Make the network, standardising every band by the training subset, [N, frames, bands]."""
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
