"""Zero mean and unit scale for every dimension, learnt in training and kept in the model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
from keras import ops

Tensor = Any

# A dimension that never varied in training must not blow up what little it varies later.
SMALLEST_SCALE = 1e-6

_PATH_IN_OLD_FILES = "layers/standardisation"


@keras.saving.register_keras_serializable(package="ser_keras")
class Standardization(keras.layers.Layer):
    """(x − mean) / scale over the last axis.

    Unlike keras.layers.Normalization it reads its weights when it is called, so that `set_weights`
    takes effect, and it knows whether it has been adapted.

    Call arguments:
        inputs: float32 [..., K].

    Example:
        >>> layer = Standardization()
        >>> layer.build((None, 1))
        >>> layer.adapt([np.array([[1.0], [3.0]])])
        >>> layer(np.array([[5.0]])).numpy().tolist()
        [[3.0]]
    """

    def __init__(self, **kwargs: Any) -> None:
        # Whatever the policy: half precision would round a large mean's neighbours together.
        super().__init__(**kwargs | {"dtype": "float32"})

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create mean, scale and the number of vectors they were learnt from."""
        size = (input_shape[-1],)
        self.mean = self.add_weight(name="mean", shape=size, initializer="zeros", trainable=False)
        self.scale = self.add_weight(name="scale", shape=size, initializer="ones", trainable=False)
        self.count = self.add_weight(
            name="count", shape=(), dtype="int64", initializer="zeros", trainable=False
        )
        self.built = True

    def adapt(self, batches: Iterable[np.ndarray]) -> None:
        """Learn mean and scale, in memory that does not grow with the number of batches.

        Means and squared deviations of the batches are joined pairwise (Chan, Golub and LeVeque
        1983, doi:10.1080/00031305.1983.10483115).

        Args:
            batches: [..., K] each; together the training subset, without padding.
        """
        count, mean, squares = 0, np.zeros(self.mean.shape), np.zeros(self.mean.shape)
        for batch in batches:
            flat = np.asarray(batch).reshape(-1, np.shape(batch)[-1])  # [N, K]
            if not len(flat):
                continue
            both, apart = count + len(flat), flat.mean(axis=0, dtype=np.float64) - mean
            own = flat.var(axis=0, dtype=np.float64) * len(flat)
            squares += own + apart**2 * count * len(flat) / both
            mean += apart * len(flat) / both
            count = both
        self.mean.assign(mean)
        self.scale.assign(np.maximum(np.sqrt(squares / max(count, 1)), SMALLEST_SCALE))
        self.count.assign(count)

    def load_own_variables(self, store: Any) -> None:
        """Load the weights; files of version 0.1 spell the layer's name with an s."""
        super().load_own_variables(store if len(store.keys()) else store.get(_PATH_IN_OLD_FILES))

    @property
    def adapted(self) -> bool:
        """Whether mean and scale have been learnt."""
        return int(self.count.numpy()) > 0

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the inputs."""
        return input_shape

    def call(self, inputs: Tensor) -> Tensor:
        """Standardize; [..., K]."""
        return (ops.cast(inputs, "float32") - self.mean) / self.scale

    def undo(self, standardized: Tensor) -> Tensor:
        """Return values of the scale that `call` takes; [..., K]."""
        return ops.cast(standardized, "float32") * self.scale + self.mean
