"""A listener's dynamic range: what is far below the loudest heard until now is not heard.

What a recording's silence is made of, rounding or a room's noise, tells nothing of an emotion, and
how far away the microphone was does not either. How loud a word is beside those before it does.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

Tensor = Any

# Until something louder is heard: about the loudest point of very quiet speech. What is 60 dB below
# is silence from the first instant on, as is the rounding to 16 bits, at −87 and in peaks −78 dB.
QUIET_SPEECH_DB = -15.0


@keras.saving.register_keras_serializable(package="ser_keras")
class DynamicRange(keras.layers.Layer):
    """Log-mel patches relative to the loudest point until now, cut off far below it.

    So speech is the same at any level unless it is very quiet, what is louder within a recording
    remains louder, and nothing that comes later counts.

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
        loudest = tf.maximum(tf.reduce_max(patches, axis=[2, 3]), QUIET_SPEECH_DB)
        return self._hear(patches, _highest_until_now(loudest))

    def step(self, patch: Tensor, loudest: Tensor) -> tuple[Tensor, Tensor]:
        """Hear one more instant.

        Args:
            patch: in decibels, float32 [B, frames, bands].
            loudest: decibels above `QUIET_SPEECH_DB` of the loudest point until now, float32
                [B, 1]; zeros to begin.

        Returns:
            What is heard of the patch, of the same shape, and the loudest point, this one included.
        """
        patch = tf.cast(patch, tf.float32)
        louder = tf.reduce_max(patch, axis=[1, 2])[:, tf.newaxis] - QUIET_SPEECH_DB
        loudest = tf.maximum(loudest, louder)
        return self._hear(patch[:, tf.newaxis], loudest + QUIET_SPEECH_DB)[:, 0], loudest

    def _hear(self, patches: Tensor, loudest: Tensor) -> Tensor:
        """Of patches [B, T, frames, bands] and the loudest points [B, T]."""
        return tf.maximum(patches - loudest[:, :, tf.newaxis, tf.newaxis], -self.decibels)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        config = super().get_config()
        del config["dtype"], config["trainable"]
        return config | {"decibels": self.decibels}


def _highest_until_now(values: Tensor) -> Tensor:
    """Running maximum of [B, T] over T, in as many rounds as T has binary digits."""

    def double(reach: Tensor, highest: Tensor) -> tuple[Tensor, Tensor]:
        earlier = tf.pad(highest[:, :-reach], [[0, 0], [reach, 0]], constant_values=QUIET_SPEECH_DB)
        return 2 * reach, tf.maximum(highest, earlier)

    _, highest = tf.while_loop(
        lambda reach, _: reach < tf.shape(values)[1],
        double,
        (1, values),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, None])),
    )
    return tf.ensure_shape(highest, values.shape)
