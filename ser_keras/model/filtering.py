"""Random filters over training spectrograms (FilterAugment)."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

Tensor = Any

# Frequencies at which a filter's gain is drawn; it is linear, in decibels, between them.
KNOTS = 6


@keras.saving.register_keras_serializable(package="ser_keras")
class SpectrogramFilter(keras.layers.Layer):
    """Hears every utterance through a filter of its own, while training only.

    So that a voice's or a room's colour is not taken for emotion: the gain of each band is drawn
    anew for every utterance and is the same at all its instants (the linear form of Nam et al.
    2022, arXiv:2110.03282, with knots at fixed places). The mean gain is none: an utterance's level
    stays.

    Args:
        gain: a knot's gain is drawn evenly from minus to plus so many decibels.
        seed: of the filters.

    Call arguments:
        inputs: log-mel patches in decibels, float32 [B, T, frames, bands].
        training: filters if True.
    """

    def __init__(self, gain: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(dtype="float32", **kwargs)
        self.gain, self.seed = gain, seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Filter; the shape stays."""
        if not training:
            return inputs
        shape = (ops.shape(inputs)[0], KNOTS)
        gains = keras.random.uniform(shape, -self.gain, self.gain, seed=self.seed_generator)
        curves = ops.matmul(gains, _interpolation(inputs.shape[-1]))
        return inputs + curves[:, None, None, :]

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        config = super().get_config()
        del config["dtype"]
        return config | {"gain": self.gain, "seed": self.seed}


def _interpolation(bands: int) -> np.ndarray:
    """What turns gains at the knots into gains of bands of mean 0: float32 [KNOTS, bands]."""
    places = np.linspace(0.0, KNOTS - 1.0, bands)
    weights = np.maximum(0.0, 1.0 - np.abs(places - np.arange(KNOTS)[:, np.newaxis]))
    return (weights - weights.mean(axis=1, keepdims=True)).astype(np.float32)
