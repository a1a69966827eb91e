"""What the second listener hears: statistics of the bands of a time-frequency patch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

Tensor = Any

# Of a band that stays at its level, such as digital silence: its logarithm must be finite.
SMALLEST_VARIANCE = 1e-3


@keras.saving.register_keras_serializable(package="ser_keras")
class BandStatistics(keras.layers.Layer):
    """Mean and log variance of every band over the frames of a patch.

    The spectrum's shape and how much it moves, which the convolutions' normalisation hides.

    Args:
        patch: frames and bands of a patch.

    Call arguments:
        inputs: patches laid flat, [B, frames × bands].

    Returns:
        [B, 2 × bands], all means before all log variances.
    """

    def __init__(self, patch: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.patch = (int(patch[0]), int(patch[1]))
        self.size = 2 * self.patch[1]

    def call(self, inputs: Tensor) -> Tensor:
        """Sum patches up; see the class."""
        return self._lay(*ops.moments(self._patches(inputs), axes=[1]))

    def expected(self, mean: Tensor, log_scale: Tensor) -> Tensor:
        """Statistics to expect of a patch that is not there yet.

        Args:
            mean: of every point of the patch, [B, frames × bands].
            log_scale: logarithm of the standard deviation of every point, the same shape.

        Returns:
            [B, 2 × bands]. A band varies as much as its means over the frames do and each point
            around its mean (the law of total variance).
        """
        mean, between = ops.moments(self._patches(mean), axes=[1])
        within = ops.mean(ops.exp(2.0 * self._patches(log_scale)), axis=1)
        return self._lay(mean, between + within)

    def _patches(self, flat: Tensor) -> Tensor:
        return ops.reshape(flat, (-1, *self.patch))

    def _lay(self, mean: Tensor, variance: Tensor) -> Tensor:
        # Logarithms are as wide as the means are, which variances are not.
        log_variance = ops.log(variance + SMALLEST_VARIANCE)
        return ops.concatenate([mean, log_variance], axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return super().get_config() | {"patch": self.patch}
