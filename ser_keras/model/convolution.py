"""Recognition and generation of time-frequency patches by convolution.

Where an observation is a patch of a spectrogram, the recognition LSTM reads what convolutions make
of it, and the likelihood of the next patch is made by sub-pixel convolutions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

Tensor = Any

KERNEL, STRIDE = 3, 2
# The generator's last convolution makes blocks of so many frames and bands.
BLOCK = 4
# Added to variances, of feature maps and of bands, so that silence does not divide by zero.
SMALLEST_VARIANCE = 1e-3


def points_to_channels(patches: Tensor, block: int) -> Tensor:
    """The points of every block as channels of one point.

    What `tf.nn.space_to_depth` does with a single channel, point by point; moved by rows, and so is
    the gradient, they take a fifth of its time or less.

    Args:
        patches: [N, frames, bands], multiples of the block's side.
        block: frames and bands of a block.

    Returns:
        [N, frames / block, bands / block, block²].
    """
    _, frames, bands = patches.shape
    rows = ops.reshape(patches, (-1, block, bands // block, block))
    return ops.reshape(
        ops.transpose(rows, (0, 2, 1, 3)), (-1, frames // block, bands // block, block**2)
    )


def channels_to_points(blocks: Tensor, block: int) -> Tensor:
    """The inverse of `points_to_channels`: [N, frames, bands, block²] to a finer patch."""
    _, frames, bands, _ = blocks.shape
    rows = ops.reshape(blocks, (-1, bands, block, block))
    return ops.reshape(ops.transpose(rows, (0, 2, 1, 3)), (-1, frames * block, bands * block))


@keras.saving.register_keras_serializable(package="ser_keras")
class PatchNormalization(keras.layers.Layer):
    """Normalises every feature map of a patch by mean and variance over the whole patch.

    Group normalisation with one group (Wu and He 2018, arXiv:1803.08494): unlike batch
    normalisation it is the same in training and use, and one item cannot change another's answer.

    Call arguments:
        inputs: float [N, frames, bands, channels].
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create scale and offset of every channel."""
        shape = (input_shape[-1],)
        self.gamma = self.add_weight(name="gamma", shape=shape, initializer="ones")
        self.beta = self.add_weight(name="beta", shape=shape, initializer="zeros")
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        """Normalise; the shape stays."""
        mean, variance = ops.moments(inputs, axes=[1, 2, 3], keepdims=True)
        scale = self.gamma * ops.rsqrt(variance + SMALLEST_VARIANCE)
        return inputs * scale + (self.beta - mean * scale)


@keras.saving.register_keras_serializable(package="ser_keras")
class PatchEncoder(keras.layers.Layer):
    """What the recognition LSTM reads of a patch.

    Convolutions, each normalised and rectified; mean and maximum over the frames that are left;
    mean and standard deviation of every band of the patch itself, since the normalisations take
    level and contrast away; an affine layer. The first convolution reads blocks of 2 × 2 points as
    four channels, the others have strides of two: on a CPU this is much faster than a strided
    convolution of a single channel.

    Args:
        patch: frames and bands of a patch.
        channels: of every convolution; each halves frames and bands.
        units: values that a patch is summed up by.
        seed: of the initial weights.

    Call arguments:
        inputs: patches laid flat, [B, frames × bands].

    Returns:
        [B, units], in the precision that the layer's dtype policy computes in.
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
                KERNEL,
                strides=STRIDE if number else 1,
                padding="same",
                use_bias=False,  # the normalisation brings its own
                kernel_initializer=keras.initializers.HeNormal(seed=seeds[number]),
                dtype=self.dtype_policy,
                name=f"convolution_{number}",
            )
            for number, count in enumerate(self.channels)
        ]
        self.normalizations = [
            PatchNormalization(dtype=self.dtype_policy, name=f"normalization_{number}")
            for number in range(len(self.channels))
        ]
        self.summary = keras.layers.Dense(
            units,
            kernel_initializer=keras.initializers.HeNormal(seed=seeds[-1]),
            dtype=self.dtype_policy,
            name="summary",
        )
        self.summary_normalization = keras.layers.LayerNormalization(
            dtype=self.dtype_policy, name="summary_normalization"
        )

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights."""
        frames, bands = self._even()
        shape = (input_shape[0], frames // STRIDE, bands // STRIDE, STRIDE**2)
        for convolution, normalization in zip(self.convolutions, self.normalizations, strict=True):
            convolution.build(shape)
            shape = convolution.compute_output_shape(shape)
            normalization.build(shape)
        _, _, bands, channels = shape
        self.summary.build((input_shape[0], 2 * bands * channels + 2 * self.patch[1]))
        self.summary_normalization.build((input_shape[0], self.units))
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        """Sum patches up; see the class."""
        patches = even = ops.reshape(inputs, (-1, *self.patch))
        if self._even() != self.patch:
            odd = [side - found for side, found in zip(self._even(), self.patch, strict=True)]
            even = ops.pad(patches, [[0, 0], [0, odd[0]], [0, odd[1]]])
        maps = points_to_channels(even, STRIDE)
        for convolution, normalization in zip(self.convolutions, self.normalizations, strict=True):
            maps = ops.relu(normalization(convolution(maps)))
        pooled = ops.concatenate([ops.mean(maps, axis=1), ops.max(maps, axis=1)], axis=-1)
        flat = ops.reshape(pooled, (-1, pooled.shape[1] * pooled.shape[2]))
        mean, variance = ops.moments(patches, axes=[1])
        flat = ops.concatenate([flat, mean, ops.sqrt(variance + SMALLEST_VARIANCE)], axis=-1)
        return ops.relu(self.summary_normalization(self.summary(flat)))

    def _even(self) -> tuple[int, int]:
        """Frames and bands of the patch when an odd one has been padded."""
        frames, bands = (-(-side // STRIDE) * STRIDE for side in self.patch)
        return frames, bands

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
    """Mean and log scale of the next patch, by convolutions that make finer and finer maps.

    A convolution makes all points of a block of the finer map as channels, which are then laid
    beside one another (sub-pixel convolution, Shi et al. 2016, arXiv:1609.05158).

    Args:
        patch: frames and bands of a patch.
        channels: of every map from the finest to the coarsest; each is twice as fine as the next in
            frames and bands, and the patch four times as fine as the first. What is too
            many is cut off.
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
        finer = BLOCK * STRIDE ** (len(self.channels) - 1)
        self.coarsest = (*(-(-side // finer) for side in self.patch), self.channels[-1])
        self.spread = keras.layers.Dense(
            int(np.prod(self.coarsest)),
            kernel_initializer=keras.initializers.HeNormal(seed=seeds[-1]),
            dtype=self.dtype_policy,
            name="spread",
        )
        outputs = (*self.channels[-2::-1], 2)
        self.blocks = (*[STRIDE] * (len(outputs) - 1), BLOCK)
        self.convolutions = [
            keras.layers.Conv2D(
                count * block**2,
                KERNEL,
                padding="same",
                kernel_initializer=keras.initializers.GlorotUniform(seed=seeds[number]),
                dtype=self.dtype_policy,
                name=f"convolution_{number}",
            )
            for number, (count, block) in enumerate(zip(outputs, self.blocks, strict=True))
        ]

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights."""
        self.spread.build(input_shape)
        frames, bands, channels = self.coarsest
        for convolution, block in zip(self.convolutions, self.blocks, strict=True):
            convolution.build((input_shape[0], frames, bands, channels))
            frames, bands = frames * block, bands * block
            channels = convolution.filters // block**2
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        """Generate; see the class."""
        maps = ops.reshape(ops.relu(self.spread(inputs)), (-1, *self.coarsest))
        for convolution, block in zip(self.convolutions[:-1], self.blocks, strict=False):
            maps = tf.nn.depth_to_space(ops.relu(convolution(maps)), block)
        # The two halves of the channels are two patches: laid out apart, they need no unstacking.
        halves = ops.split(self.convolutions[-1](maps), 2, axis=-1)
        return ops.concatenate([self._flat(half) for half in halves], axis=-1)

    def _flat(self, blocks: Tensor) -> Tensor:
        """[B, …, BLOCK²] to the patch laid flat, [B, frames × bands]."""
        points = channels_to_points(blocks, BLOCK)
        frames, bands = self.patch
        if points.shape[1:] != self.patch:
            points = points[:, :frames, :bands]
        return ops.reshape(points, (-1, frames * bands))

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return super().get_config() | {
            "patch": self.patch,
            "channels": self.channels,
            "seed": self.seed,
        }
