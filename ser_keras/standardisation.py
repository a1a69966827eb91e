"""Zero mean and unit scale for every dimension, learnt in training and kept in the model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

Tensor = Any

# A dimension that never varied in training must not blow up what little it varies later.
SMALLEST_SCALE = 1e-6


@keras.saving.register_keras_serializable(package="ser_keras")
class Standardisation(keras.layers.Layer):
    """(x − mean) / scale over the last axis.

    Unlike keras.layers.Normalization it reads its weights when it is called, so that `set_weights`
    takes effect, and it knows whether it has been adapted.

    Call arguments:
        inputs: float32 [..., K].
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create mean, scale and the number of vectors they were learnt from."""
        size = (input_shape[-1],)
        self.mean = self.add_weight(name="mean", shape=size, initializer="zeros", trainable=False)
        self.scale = self.add_weight(name="scale", shape=size, initializer="ones", trainable=False)
        self.count = self.add_weight(
            name="count", shape=(), dtype="int64", initializer="zeros", trainable=False
        )
        self.built = True

    def adapt(self, vectors: np.ndarray) -> None:
        """Learn mean and scale.

        Args:
            vectors: [..., K], all of the training part, without padding.
        """
        flat = np.asarray(vectors, dtype=np.float64).reshape(-1, np.shape(vectors)[-1])
        self.mean.assign(flat.mean(axis=0))
        self.scale.assign(np.maximum(flat.std(axis=0), SMALLEST_SCALE))
        self.count.assign(len(flat))

    @property
    def adapted(self) -> bool:
        """Whether mean and scale have been learnt."""
        return int(self.count.numpy()) > 0

    def call(self, inputs: Tensor) -> Tensor:
        """Standardise; [..., K]."""
        return (ops.cast(inputs, "float32") - self.mean) / self.scale


def valid_instants(
    data: Iterable[Any], prepare: Callable[[np.ndarray], Any] | None = None
) -> Iterator[np.ndarray]:
    """The observations of each batch without their padding, [N, *observation_shape].

    Args:
        data: batches of inputs, labels or not.
        prepare: what is done to the observations of a batch, [B, T, *observation_shape], before.
    """
    for batch in data:
        inputs, _, _ = keras.utils.unpack_x_y_sample_weight(batch)
        if not isinstance(inputs, dict):
            inputs = {"observations": inputs}
        observations = np.asarray(inputs["observations"], dtype=np.float32)
        if prepare is not None:
            observations = np.asarray(prepare(observations))
        length = observations.shape[1]
        instants = np.asarray(inputs.get("instants", np.full(len(observations), length)))
        yield observations[np.arange(length) < instants[:, np.newaxis]]
