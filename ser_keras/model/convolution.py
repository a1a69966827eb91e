"""Recognition and generation of time-frequency patches by convolution.

Where an observation is a patch of a spectrogram, the recognition LSTM reads it through
convolutions, and sub-pixel convolutions make the likelihood of the next patch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from ser_keras.model.seeds import derive_seeds

Tensor = Any

KERNEL, STRIDE = 3, 2
BLOCK = 4  # the decoder's last convolution makes blocks of so many frames and bands
# Added to variances, of feature maps and of bands, so that silence does not divide by zero.
SMALLEST_VARIANCE = 1e-3


@keras.saving.register_keras_serializable(package="ser_keras")
class PatchNormalization(keras.layers.GroupNormalization):
    """Normalization of every patch by its own mean and variance, over all points and channels.

    Group normalization with one group (Wu and He 2018, arXiv:1803.08494): unlike batch
    normalization it is the same in training and use, and one item cannot change another's answer.

    Call arguments:
        inputs: float [N, frames, bands, channels].

    Example:
        >>> maps = np.arange(12, dtype=np.float32).reshape(1, 2, 3, 2)
        >>> bool(abs(np.mean(PatchNormalization()(maps))) < 1e-6)
        True
    """

    def __init__(self, groups: int = 1, epsilon: float = SMALLEST_VARIANCE, **kwargs: Any) -> None:
        super().__init__(groups=groups, epsilon=epsilon, **kwargs)


@keras.saving.register_keras_serializable(package="ser_keras")
class PatchEncoder(keras.layers.Layer):
    """Embedding of a patch that the recognition LSTM reads.

    Convolutions, each normalized and rectified; mean and maximum over the remaining frames; mean
    and standard deviation of every band of the patch itself, since normalization takes level and
    contrast away; an affine layer. The first convolution reads blocks of 2 × 2 points as four
    channels, the others have strides of two: on a CPU this is much faster than a strided
    convolution of a single channel.

    Args:
        patch: frames and bands of a patch.
        channels: channels of every convolution; each convolution halves frames and bands.
        units: size of the embedding.
        seed: seed of the initial weights.

    Call arguments:
        inputs: flattened patches, [B, frames × bands].

    Returns:
        [B, units], in the precision that the layer's dtype policy computes in.

    Example:
        >>> PatchEncoder(patch=(16, 8), channels=(2, 3), units=5)(np.zeros((1, 128))).shape
        TensorShape([1, 5])
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
        self._odd = [-side % STRIDE for side in self.patch]  # frames and bands of padding
        seeds = derive_seeds(seed, len(self.channels) + 1)
        self.convolutions = [
            keras.layers.Conv2D(
                count,
                KERNEL,
                strides=STRIDE if number else 1,
                padding="same",
                use_bias=False,  # the normalization has one
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
        frames, bands = (side + odd for side, odd in zip(self.patch, self._odd, strict=True))
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
        """Embed patches; see the class."""
        patches = even = ops.reshape(inputs, (-1, *self.patch))  # [B, frames, bands]
        if any(self._odd):
            even = ops.pad(patches, [[0, 0], [0, self._odd[0]], [0, self._odd[1]]])
        maps = _space_to_depth(even, STRIDE)  # [B, frames / 2, bands / 2, 4]
        for convolution, normalization in zip(self.convolutions, self.normalizations, strict=True):
            # The first keeps frames and bands, every other one halves them.
            maps = ops.relu(normalization(convolution(maps)))
        # [B, frames', bands', channels] -> [B, bands', 2 channels] -> [B, bands' × 2 channels]
        pooled = ops.concatenate([ops.mean(maps, axis=1), ops.max(maps, axis=1)], axis=-1)
        flat = ops.reshape(pooled, (-1, pooled.shape[1] * pooled.shape[2]))
        mean, variance = ops.moments(patches, axes=[1])  # [B, bands] each
        flat = ops.concatenate([flat, mean, ops.sqrt(variance + SMALLEST_VARIANCE)], axis=-1)
        return ops.relu(self.summary_normalization(self.summary(flat)))  # [B, units]

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        own = {"patch": self.patch, "channels": self.channels}
        return super().get_config() | own | {"units": self.units, "seed": self.seed}


@keras.saving.register_keras_serializable(package="ser_keras")
class PatchDecoder(keras.layers.Layer):
    """Mean and log scale of the next patch, from maps that convolutions make finer and finer.

    A convolution makes all points of a block of the finer map as channels, which are then laid out
    beside one another (sub-pixel convolution, Shi et al. 2016, arXiv:1609.05158).

    Args:
        patch: frames and bands of a patch.
        channels: channels of every map, from the finest to the coarsest; each map is twice as fine
            as the next in frames and bands, and the patch is four times as fine as the first.
            Frames and bands beyond the patch are cut off.
        seed: seed of the initial weights.

    Call arguments:
        inputs: float32 [B, hidden units].

    Returns:
        All means, then all log scales, float32 [B, 2 × frames × bands], as the affine layer of an
        observation without frames gives them.

    Example:
        >>> PatchDecoder(patch=(16, 8), channels=(2, 3))(np.zeros((1, 5))).shape
        TensorShape([1, 256])
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
        seeds = derive_seeds(seed, len(self.channels) + 1)
        finer = BLOCK * STRIDE ** (len(self.channels) - 1)  # the patch is so many times as fine
        self.coarsest = (*(-(-side // finer) for side in self.patch), self.channels[-1])
        self.spread = keras.layers.Dense(
            int(np.prod(self.coarsest)),
            kernel_initializer=keras.initializers.HeNormal(seed=seeds[-1]),
            dtype=self.dtype_policy,
            name="spread",
        )
        outputs = (*self.channels[-2::-1], 2)  # the last map's channels are mean and log scale
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
            # [B, f, b, channels] -> [B, f, b, 4 channels'] -> [B, 2 f, 2 b, channels']
            maps = tf.nn.depth_to_space(ops.relu(convolution(maps)), block)
        # The two halves of the channels are two patches: laid out apart, they need no unstacking.
        halves = ops.split(self.convolutions[-1](maps), 2, axis=-1)  # [B, f, b, BLOCK²] each
        return ops.concatenate([self._flatten(half) for half in halves], axis=-1)

    def _flatten(self, blocks: Tensor) -> Tensor:
        """Lay [B, f, b, BLOCK²] out as flat patches, [B, frames × bands]."""
        points = _depth_to_space(blocks, BLOCK)
        frames, bands = self.patch
        if points.shape[1:] != self.patch:
            points = points[:, :frames, :bands]
        return ops.reshape(points, (-1, frames * bands))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        own = {"patch": self.patch, "channels": self.channels, "seed": self.seed}
        return super().get_config() | own


def _space_to_depth(patches: Tensor, block: int) -> Tensor:
    """Move the points of every block to channels: [N, F, B] to [N, F / block, B / block, block²].

    As `tf.nn.space_to_depth` with a single channel, which moves point by point; moved by rows they
    take a fifth of its time or less, and so does the gradient.
    """
    _, frames, bands = patches.shape
    rows = ops.reshape(patches, (-1, block, bands // block, block))  # [N × F / block, …]
    return ops.reshape(
        ops.transpose(rows, (0, 2, 1, 3)), (-1, frames // block, bands // block, block**2)
    )


def _depth_to_space(blocks: Tensor, block: int) -> Tensor:
    """Invert `_space_to_depth`: [N, f, b, block²] to [N, f × block, b × block]."""
    _, frames, bands, _ = blocks.shape
    rows = ops.reshape(blocks, (-1, bands, block, block))
    return ops.reshape(ops.transpose(rows, (0, 2, 1, 3)), (-1, frames * block, bands * block))
