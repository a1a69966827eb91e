"""A plain bidirectional LSTM over the sequences of observations that the VRNN gets."""

from __future__ import annotations

from functools import partial
from typing import Any

import keras
import numpy as np

from benchmarks.accuracy.baseline import Baseline
from benchmarks.accuracy.neural import train_and_answer
from ser_keras.features.extraction import Extraction

SETTINGS: dict[str, Any] = {
    "units": 128,  # in each direction
    "dropout": 0.3,
    "epochs": 100,
    "batch_size": 64,
    "learning_rate": 1e-3,
}

# No MFCC is exactly this; the layer below skips instants that are nothing else.
PADDING = 0.0


def padded_observations(extraction: Extraction) -> np.ndarray:
    """Pad all sequences to the longest: float32 [N, T, 40]."""
    longest = max(map(len, extraction.observations))
    size = extraction.observations[0].shape[-1]
    padded = np.full((len(extraction.observations), longest, size), PADDING, np.float32)
    for row, observations in zip(padded, extraction.observations, strict=True):
        row[: len(observations)] = observations
    return padded


def build(inputs: np.ndarray, classes: int) -> keras.Model:
    """Make the network, standardising by the training subset, [N, T, D], without its padding."""
    real = inputs[np.any(inputs != PADDING, axis=-1)]
    return keras.Sequential(
        [
            keras.Input(inputs.shape[1:]),
            keras.layers.Masking(PADDING),
            keras.layers.Normalization(mean=real.mean(axis=0), variance=real.var(axis=0)),
            keras.layers.Bidirectional(keras.layers.LSTM(SETTINGS["units"])),
            keras.layers.Dropout(SETTINGS["dropout"]),
            keras.layers.Dense(classes),
        ]
    )


BILSTM = Baseline(
    title="BiLSTM on MFCCs",
    settings=SETTINGS,
    inputs=padded_observations,
    classify=partial(train_and_answer, build=build, settings=SETTINGS),
)
