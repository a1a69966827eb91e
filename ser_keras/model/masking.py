"""Masks over bands and frames of training spectrograms (SpecAugment)."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

Tensor = Any


@keras.saving.register_keras_serializable(package="ser_keras")
class SpectrogramMask(keras.layers.Layer):
    """Hides bands of whole utterances and frames of single patches, while training only.

    What is hidden is set to the mean, 0 of standardised observations (Park et al. 2019,
    arXiv:1904.08779). Every mask's width is drawn evenly from 0 to its widest.

    Args:
        bands: width of the widest mask over neighbouring bands, the same at every instant.
        frames: width of the widest mask over neighbouring frames, another in every patch.
        seed: of places and widths.

    Call arguments:
        inputs: standardised patches, float32 [B, T, frames, bands].
        training: masks if True.
    """

    def __init__(self, bands: int, frames: int, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(dtype="float32", **kwargs)
        self.bands, self.frames, self.seed = bands, frames, seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Mask; the shape stays."""
        if not training:
            return inputs
        batch, instants, frames, bands = ops.shape(inputs)
        hidden_bands = self._hidden((batch, 1, 1), bands, self.bands)
        hidden_frames = self._hidden((batch, instants, 1), frames, self.frames)
        hidden_frames = ops.swapaxes(hidden_frames, 2, 3)
        return ops.where(ops.logical_or(hidden_bands, hidden_frames), 0.0, inputs)

    def _hidden(self, shape: tuple[Any, ...], size: int, widest: int) -> Tensor:
        """Which of `size` places lie under a mask: bool [*shape, size]."""
        width = keras.random.uniform(shape, 0.0, widest + 1.0, seed=self.seed_generator)
        width = ops.floor(width)
        start = keras.random.uniform(shape, seed=self.seed_generator) * (size + 1.0 - width)
        start = ops.floor(start)[..., None]
        places = ops.arange(size, dtype="float32")
        return ops.logical_and(places >= start, places < start + width[..., None])

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        config = super().get_config()
        del config["dtype"]
        return config | {"bands": self.bands, "frames": self.frames, "seed": self.seed}
