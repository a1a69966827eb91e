"""Augmentation inside the model, drawn anew at every training step."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from ser_keras.model.replicas import own_rows

Tensor = Any
Shape = tuple[int | None, ...]

KNOTS = 6  # frequencies at which a filter's gain is drawn; it is linear, in decibels, between them


class RandomLayer(keras.layers.Layer):
    """Draws random numbers, in float32 whatever the policy: the base of layers without weights.

    Keras makes their configurations from the arguments of their constructors.

    Args:
        seed: seed of what is drawn.

    Example:
        >>> RandomLayer(seed=3).get_config()["seed"]
        3
    """

    def __init__(self, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs | {"dtype": "float32"})
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True


@keras.saving.register_keras_serializable(package="ser_keras")
class SpectrogramFilter(RandomLayer):
    """Applies one random frequency response per utterance (FilterAugment).

    The color of a voice or a room must not be taken for emotion: the gain of each band is drawn for
    every utterance and is the same at all its instants (the linear form of Nam et al. 2022,
    arXiv:2110.03282, with knots at fixed positions). The mean gain is 0 dB, so that an utterance
    keeps its level.

    Args:
        gain: a knot's gain is drawn uniformly from −gain to +gain, in decibels.
        seed: seed of the gains.

    Call arguments:
        inputs: log-mel patches in decibels, float32 [B, T, frames, bands].
        training: whether to filter at all.

    Example:
        >>> patches = np.zeros((1, 2, 3, 40), np.float32)
        >>> filtered = SpectrogramFilter(gain=6.0, seed=0)(patches, training=True)
        >>> bool(abs(np.mean(filtered)) < 1e-5), bool(np.std(filtered) > 1)
        (True, True)
    """

    def __init__(self, gain: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.gain = gain

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of the inputs."""
        return input_shape

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Filter; the shape stays."""
        if not training:
            return inputs
        gains = own_rows(self._gains, ops.shape(inputs)[0])  # [B, KNOTS]
        curves = ops.matmul(gains, _interpolation(inputs.shape[-1]))  # [B, bands]
        return inputs + curves[:, None, None, :]

    def _gains(self, count: Tensor) -> Tensor:
        return keras.random.uniform((count, KNOTS), -self.gain, self.gain, seed=self.seed_generator)


def _interpolation(bands: int) -> np.ndarray:
    """Return the matrix from gains at knots to zero-mean gains of bands, float32 [KNOTS, bands]."""
    positions = np.linspace(0.0, KNOTS - 1.0, bands)
    weights = np.maximum(0.0, 1.0 - np.abs(positions - np.arange(KNOTS)[:, np.newaxis]))
    return (weights - weights.mean(axis=1, keepdims=True)).astype(np.float32)


@keras.saving.register_keras_serializable(package="ser_keras")
class SpectrogramMask(RandomLayer):
    """Masks bands of whole utterances and frames of single patches (SpecAugment).

    Masked points become 0, the mean of standardized observations (Park et al. 2019,
    arXiv:1904.08779). The width of every mask is drawn uniformly from 0 to the widest.

    Args:
        bands: bands in the widest band mask, which is the same at every instant of an utterance.
        frames: frames in the widest frame mask; each patch has a frame mask of its own.
        seed: seed of positions and widths.

    Call arguments:
        inputs: standardized patches, float32 [B, T, frames, bands].
        training: whether to mask at all.

    Example:
        >>> patches = np.ones((8, 2, 3, 40), np.float32)
        >>> masked = SpectrogramMask(bands=6, frames=1, seed=0)(patches, training=True)
        >>> np.unique(masked).tolist()
        [0.0, 1.0]
    """

    def __init__(self, bands: int, frames: int, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.bands, self.frames = bands, frames

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of the inputs."""
        return input_shape

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Mask; the shape stays."""
        if not training:
            return inputs
        batch, instants, frames, bands = ops.shape(inputs)
        masked_bands = self._draw((batch, 1, 1), bands, self.bands)  # [B, 1, 1, bands]
        masked_frames = self._draw((batch, instants, 1), frames, self.frames)
        masked_frames = ops.swapaxes(masked_frames, 2, 3)  # [B, T, frames, 1]
        return ops.where(ops.logical_or(masked_bands, masked_frames), 0.0, inputs)

    def _draw(self, shape: tuple[Any, ...], size: int, widest: int) -> Tensor:
        """Draw one mask per element of `shape`: bool [*shape, size], True where masked."""
        count, *rest = shape

        def uniform(rows: Tensor) -> Tensor:
            return keras.random.uniform((rows, *rest), seed=self.seed_generator)

        width = ops.floor(own_rows(uniform, count) * (widest + 1.0))
        start = own_rows(uniform, count) * (size + 1.0 - width)
        start = ops.floor(start)[..., None]
        positions = ops.arange(size, dtype="float32")
        return ops.logical_and(positions >= start, positions < start + width[..., None])


@keras.saving.register_keras_serializable(package="ser_keras")
class SpectrogramNoise(RandomLayer):
    """Moves every point of an utterance's observations by noise of its own.

    Codecs move levels point by point, which must not change the answer. How much is drawn for every
    utterance, from 0 to `deviation`.

    Args:
        deviation: largest standard deviation of the noise, in those of the observations.
        seed: seed of the noise.

    Call arguments:
        inputs: standardized observations, float32 [B, T, …].
        training: whether to move at all.

    Example:
        >>> noisy = SpectrogramNoise(deviation=0.1, seed=0)(np.zeros((2, 3, 9)), training=True)
        >>> bool(0.0 < np.std(noisy) < 0.1)
        True
    """

    def __init__(self, deviation: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.deviation = deviation

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of the inputs."""
        return input_shape

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Move; the shape stays."""
        if not training:
            return inputs
        batch, *rest = ops.shape(inputs)

        def noise(rows: Tensor) -> Tensor:
            return keras.random.normal((rows, *rest), seed=self.seed_generator)

        def deviations(rows: Tensor) -> Tensor:
            shape = (rows, *(1 for _ in rest))
            return keras.random.uniform(shape, 0.0, self.deviation, seed=self.seed_generator)

        return inputs + own_rows(deviations, batch) * own_rows(noise, batch)


@keras.saving.register_keras_serializable(package="ser_keras")
class Mixup(RandomLayer):
    """Mixes every utterance of a batch with another one, observations and labels alike (mixup).

    Each utterance becomes λ x + (1 − λ) x', and so does its label, with λ drawn from Beta(α, α)
    (Zhang et al. 2018, arXiv:1710.09412). λ is at least one half, because the mixture is as long as
    x: where x' has ended, x stands alone. Of several replicas, each mixes its own utterances.

    Args:
        alpha: α; the larger, the more even the mixtures.
        seed: seed of λ and of the choice of x'.

    Call arguments:
        observations: standardized, float32 [B, T, D].
        instants: valid instants of each utterance, int32 [B].
        labels: probabilities of the classes, float32 [B, C].

    Returns:
        Mixed observations [B, T, D] and labels [B, C].

    Example:
        >>> observations, labels = np.ones((2, 3, 4), np.float32), np.eye(2, dtype=np.float32)
        >>> instants = np.array([3, 3], np.int32)
        >>> _, mixed = Mixup(alpha=0.3, seed=0)(observations, instants, labels)
        >>> np.sum(mixed, axis=1).tolist()
        [1.0, 1.0]
    """

    def __init__(self, alpha: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.alpha = alpha

    def build(self, observations_shape: Shape, instants_shape: Shape, labels_shape: Shape) -> None:
        """Create nothing: there are no weights."""

    def compute_output_shape(
        self, observations_shape: Shape, instants_shape: Shape, labels_shape: Shape
    ) -> tuple[Shape, Shape]:
        """Return the shapes of observations and labels."""
        return observations_shape, labels_shape

    def call(self, observations: Tensor, instants: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Mix; the shapes stay."""
        batch, length = ops.shape(observations)[:2]
        drawn = own_rows(self._shares, batch)
        share = ops.maximum(drawn, 1.0 - drawn)  # λ, [B, 1]
        partners = keras.random.shuffle(ops.arange(batch), seed=self.seed_generator)
        mixed_labels = share * labels + (1.0 - share) * ops.take(labels, partners, axis=0)

        partner_lasts = ops.arange(length)[None, :] < ops.take(instants, partners, axis=0)[:, None]
        shares = ops.where(partner_lasts, share, 1.0)[..., None]  # [B, T, 1]
        others = ops.take(observations, partners, axis=0)
        return shares * observations + (1.0 - shares) * others, mixed_labels

    def _shares(self, count: Tensor) -> Tensor:
        return keras.random.beta((count, 1), self.alpha, self.alpha, seed=self.seed_generator)
