"""Levels relative to the loudest point so far, cut off far below it.

What the silence of a recording consists of, rounding or a room's noise, tells nothing about an
emotion. Absolute level depends on the microphone and is discarded; level relative to earlier
speech is kept.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

Tensor = Any

# Stands in for the loudest point until something is louder: about that of very quiet speech. 60 dB
# below it is silence from the first instant on, as is the rounding to 16 bits, at −87 dB and in
# peaks −78 dB.
QUIET_SPEECH_DB = -15.0


@keras.saving.register_keras_serializable(package="ser_keras")
class DynamicRange(keras.layers.Layer):
    """Log-mel patches relative to the loudest point so far, cut off far below it.

    Speech becomes the same at any level unless it is very quiet, louder parts of a recording remain
    louder, and nothing depends on what comes later.

    Args:
        decibels: distance from the loudest point at which softer points are cut off.

    Call arguments:
        inputs: log-mel patches in decibels, float32 [B, T, frames, bands]; padding comes last.

    Example:
        >>> patches = np.array([-90.0, 0.0, -20.0]).reshape(1, 3, 1, 1)  # three instants
        >>> DynamicRange(60.0)(patches).numpy().ravel().tolist()
        [-60.0, 0.0, -20.0]
    """

    def __init__(self, decibels: float, **kwargs: Any) -> None:
        super().__init__(**kwargs | {"dtype": "float32", "trainable": False})
        self.decibels = decibels
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        """Convert the patches of whole recordings; the shape stays."""
        return self._relative(tf.cast(inputs, tf.float32), self.loudest(inputs))

    def loudest(self, inputs: Tensor) -> Tensor:
        """Return the loudest point so far, `QUIET_SPEECH_DB` at least: [B, T], in decibels."""
        peaks = tf.reduce_max(tf.cast(inputs, tf.float32), axis=[2, 3])
        return _running_maximum(tf.maximum(peaks, QUIET_SPEECH_DB))

    def step(self, patch: Tensor, loudest: Tensor) -> tuple[Tensor, Tensor]:
        """Convert the patches of one more instant.

        Args:
            patch: in decibels, float32 [B, frames, bands].
            loudest: decibels above `QUIET_SPEECH_DB` of the loudest point so far, float32 [B, 1];
                zeros to begin.

        Returns:
            The patch, relative and cut off, and the loudest point, this patch included.
        """
        patch = tf.cast(patch, tf.float32)
        louder = tf.reduce_max(patch, axis=[1, 2])[:, tf.newaxis] - QUIET_SPEECH_DB  # [B, 1]
        loudest = tf.maximum(loudest, louder)
        return self._relative(patch[:, tf.newaxis], loudest + QUIET_SPEECH_DB)[:, 0], loudest

    def _relative(self, patches: Tensor, loudest: Tensor) -> Tensor:
        """Subtract the loudest points [B, T] from patches [B, T, frames, bands], and cut off."""
        return tf.maximum(patches - loudest[:, :, tf.newaxis, tf.newaxis], -self.decibels)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the inputs."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return super().get_config() | {"decibels": self.decibels}


def _running_maximum(values: Tensor) -> Tensor:
    """Return the maximum so far of [B, T] over T, in as many rounds as T has binary digits."""

    def double(reach: Tensor, highest: Tensor) -> tuple[Tensor, Tensor]:
        # `highest` covers `reach` instants; with the `reach` before them, twice as many.
        earlier = tf.pad(highest[:, :-reach], [[0, 0], [reach, 0]], constant_values=QUIET_SPEECH_DB)
        return 2 * reach, tf.maximum(highest, earlier)

    _, highest = tf.while_loop(
        lambda reach, _: reach < tf.shape(values)[1],
        double,
        (1, values),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, None])),
    )
    return tf.ensure_shape(highest, values.shape)
