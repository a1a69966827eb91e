"""Recognition and generation of time-frequency patches by convolution.

Where an observation is a patch of a spectrogram, the recognition LSTM reads what convolutions make
of it, and the likelihood of the next patch is made by transposed convolutions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

Tensor = Any

FIRST_KERNEL, KERNEL, STRIDE = 5, 3, 2


@keras.saving.register_keras_serializable(package="ser_keras")
class PatchNormalization(keras.layers.Layer):
    """Normalises every feature map of a patch by mean and variance over the whole patch.

    Group normalisation with one group (Wu and He 2018, arXiv:1803.08494): unlike batch
    normalisation it is the same in training and use, and one item cannot change another's answer.

    Call arguments:
        inputs: float [N, frames, bands, channels].
    """

    SMALLEST_VARIANCE = 1e-3

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create scale and offset of every channel."""
        shape = (input_shape[-1],)
        self.gamma = self.add_weight(name="gamma", shape=shape, initializer="ones")
        self.beta = self.add_weight(name="beta", shape=shape, initializer="zeros")
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        """Normalise; the shape stays."""
        mean, variance = ops.moments(inputs, axes=[1, 2, 3], keepdims=True)
        scale = self.gamma * ops.rsqrt(variance + self.SMALLEST_VARIANCE)
        return inputs * scale + (self.beta - mean * scale)


@keras.saving.register_keras_serializable(package="ser_keras")
class PatchEncoder(keras.layers.Layer):
    """What the recognition LSTM reads of a patch.

    Strided convolutions, each normalised and rectified; mean and maximum over the frames that are
    left; an affine layer.

    Args:
        patch: frames and bands of a patch.
        channels: of every convolution; each halves frames and bands.
        units: values that a patch is summed up by.
        seed: of the initial weights.

    Call arguments:
        inputs: patches laid flat, float32 [B, frames × bands].

    Returns:
        float32 [B, units].
    """

    def __init__(
        self,
        patch: Sequence[int],
        channels: Sequence[int],
        units: int,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.patch, self.channels = (int(patch[0]), int(patch[1])), tuple(channels)
        self.units, self.seed = units, seed
        seeds = np.random.SeedSequence(seed).generate_state(len(self.channels) + 1).tolist()
        self.convolutions = [
            keras.layers.Conv2D(
                count,
                KERNEL if number else FIRST_KERNEL,
                strides=STRIDE,
                padding="same",
                use_bias=False,  # the normalisation brings its own
                kernel_initializer=keras.initializers.HeNormal(seed=seeds[number]),
                name=f"convolution_{number}",
            )
            for number, count in enumerate(self.channels)
        ]
        self.normalizations = [
            PatchNormalization(name=f"normalization_{number}")
            for number in range(len(self.channels))
        ]
        self.summary = keras.layers.Dense(
            units, kernel_initializer=keras.initializers.HeNormal(seed=seeds[-1]), name="summary"
        )
        self.summary_normalization = keras.layers.LayerNormalization(name="summary_normalization")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights."""
        shape = (input_shape[0], *self.patch, 1)
        for convolution, normalization in zip(self.convolutions, self.normalizations, strict=True):
            convolution.build(shape)
            shape = convolution.compute_output_shape(shape)
            normalization.build(shape)
        _, _, bands, channels = shape
        self.summary.build((input_shape[0], 2 * bands * channels))
        self.summary_normalization.build((input_shape[0], self.units))
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        """Sum patches up; see the class."""
        maps = ops.reshape(inputs, (-1, *self.patch, 1))
        for convolution, normalization in zip(self.convolutions, self.normalizations, strict=True):
            maps = ops.relu(normalization(convolution(maps)))
        pooled = ops.concatenate([ops.mean(maps, axis=1), ops.max(maps, axis=1)], axis=-1)
        flat = ops.reshape(pooled, (-1, pooled.shape[1] * pooled.shape[2]))
        return ops.relu(self.summary_normalization(self.summary(flat)))

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return super().get_config() | {
            "patch": self.patch,
            "channels": self.channels,
            "units": self.units,
            "seed": self.seed,
        }


@keras.saving.register_keras_serializable(package="ser_keras")
class PatchDecoder(keras.layers.Layer):
    """Mean and log scale of the next patch, by transposed convolutions.

    Args:
        patch: frames and bands of a patch.
        channels: of every map from the finest to the coarsest, as `PatchEncoder`'s are; each
            convolution doubles frames and bands, what is too many is cut off.
        seed: of the initial weights.

    Call arguments:
        inputs: float32 [B, hidden units].

    Returns:
        All means, then all log scales, float32 [B, 2 × frames × bands], as the affine layer of an
        observation without frames gives them.
    """

    def __init__(
        self,
        patch: Sequence[int],
        channels: Sequence[int],
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.patch, self.channels = (int(patch[0]), int(patch[1])), tuple(channels)
        self.seed = seed
        seeds = np.random.SeedSequence(seed).generate_state(len(self.channels) + 1).tolist()
        halvings = STRIDE ** len(self.channels)
        self.coarsest = (*(-(-side // halvings) for side in self.patch), self.channels[-1])
        self.spread = keras.layers.Dense(
            int(np.prod(self.coarsest)),
            kernel_initializer=keras.initializers.HeNormal(seed=seeds[-1]),
            name="spread",
        )
        outputs = (*self.channels[-2::-1], 2)
        self.convolutions = [
            keras.layers.Conv2DTranspose(
                count,
                KERNEL + (number + 1 == len(outputs)),  # even, or the last one draws a grid
                strides=STRIDE,
                padding="same",
                kernel_initializer=keras.initializers.GlorotUniform(seed=seeds[number]),
                name=f"convolution_{number}",
            )
            for number, count in enumerate(outputs)
        ]

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights."""
        self.spread.build(input_shape)
        shape = (input_shape[0], *self.coarsest)
        for convolution in self.convolutions:
            convolution.build(shape)
            shape = convolution.compute_output_shape(shape)
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        """Generate; see the class."""
        maps = ops.reshape(ops.relu(self.spread(inputs)), (-1, *self.coarsest))
        for convolution in self.convolutions[:-1]:
            maps = ops.relu(convolution(maps))
        frames, bands = self.patch
        mean, log_scale = tf.unstack(self.convolutions[-1](maps)[:, :frames, :bands], axis=-1)
        size = frames * bands
        return ops.concatenate(
            [ops.reshape(mean, (-1, size)), ops.reshape(log_scale, (-1, size))], axis=-1
        )

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return super().get_config() | {
            "patch": self.patch,
            "channels": self.channels,
            "seed": self.seed,
        }
