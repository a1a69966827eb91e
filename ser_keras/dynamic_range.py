"""A listener's dynamic range: what is far below the loudest heard until now is not heard.

What a recording's silence is made of, rounding or a room's noise, tells nothing of an emotion. It
lies far below the speech, and takes up half of a recording once every patch is seen relative to
itself.
"""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

from ser_keras.features import LEAST_POWER

Tensor = Any

# No point of a log-mel spectrogram is below: a state of zeros has heard nothing yet.
SOFTEST_DB = 10.0 * math.log10(LEAST_POWER)


@keras.saving.register_keras_serializable(package="ser_keras")
class DynamicRange(keras.layers.Layer):
    """Log-mel patches cut off below the loudest point until now, each relative to its own mean.

    So a recording is the same at any level, and at every instant nothing that comes later counts.

    Args:
        decibels: from the loudest point to the softest that is heard.

    Call arguments:
        inputs: log-mel patches in decibels, float32 [B, T, frames, bands]; padding comes last.
    """

    def __init__(self, decibels: float, **kwargs: Any) -> None:
        super().__init__(dtype="float32", trainable=False, **kwargs)
        self.decibels = decibels
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        """Hear whole recordings; the shape stays."""
        patches = tf.cast(inputs, tf.float32)
        return self._hear(patches, _highest_until_now(tf.reduce_max(patches, axis=[2, 3])))

    def step(self, patch: Tensor, loudest: Tensor) -> tuple[Tensor, Tensor]:
        """Hear one more instant.

        Args:
            patch: in decibels, float32 [B, frames, bands].
            loudest: decibels above `SOFTEST_DB` of the loudest point until now, float32 [B, 1];
                zeros to begin.

        Returns:
            What is heard of the patch, of the same shape, and the loudest point, this one included.
        """
        patch = tf.cast(patch, tf.float32)
        loudest = tf.maximum(loudest, tf.reduce_max(patch, axis=[1, 2])[:, tf.newaxis] - SOFTEST_DB)
        return self._hear(patch[:, tf.newaxis], loudest + SOFTEST_DB)[:, 0], loudest

    def _hear(self, patches: Tensor, loudest: Tensor) -> Tensor:
        """Of patches [B, T, frames, bands] and the loudest points [B, T]."""
        softest = (loudest - self.decibels)[:, :, tf.newaxis, tf.newaxis]
        audible = tf.maximum(patches, softest)
        return audible - tf.reduce_mean(audible, axis=[2, 3], keepdims=True)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        config = super().get_config()
        del config["dtype"], config["trainable"]
        return config | {"decibels": self.decibels}


def _highest_until_now(values: Tensor) -> Tensor:
    """Running maximum of [B, T] over T, in as many rounds as T has binary digits."""

    def double(reach: Tensor, highest: Tensor) -> tuple[Tensor, Tensor]:
        earlier = tf.pad(highest[:, :-reach], [[0, 0], [reach, 0]], constant_values=-math.inf)
        return 2 * reach, tf.maximum(highest, earlier)

    _, highest = tf.while_loop(
        lambda reach, _: reach < tf.shape(values)[1],
        double,
        (1, values),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, None])),
    )
    return tf.ensure_shape(highest, values.shape)
