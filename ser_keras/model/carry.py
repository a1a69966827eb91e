"""The part of the next observation that is known before it is generated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

Tensor = Any


@keras.saving.register_keras_serializable(package="ser_keras")
class Carry(keras.layers.Layer):
    """Part of the next observation that follows from the sampled one; the decoder adds the rest.

    Consecutive patches overlap: the frames that both have move to the front of the next patch. The
    new frames begin as learnt linear combinations of the newest known ones, the same for every
    band. An observation without frames is carried over as it is.

    Args:
        patch: frames and bands of an observation; None where it has no frames.
        overlap: frames that a patch shares with the one before it.
        recent_frames: newest frames that the new ones are combined from; with 0, or before
            training, the new frames begin as the mean of the training data, 0.

    Call arguments:
        inputs: x_t, what was sampled, standardized and flat, float32 [B, D].

    Returns:
        Float32 [B, D], to be added to the mean that the decoder makes of X_{t+1}.

    Example:
        >>> carry = Carry(patch=(3, 1), overlap=2)
        >>> carry(np.array([[1.0, 2.0, 3.0]])).numpy().tolist()
        [[2.0, 3.0, 0.0]]
    """

    def __init__(
        self,
        patch: Sequence[int] | None = None,
        overlap: int = 0,
        recent_frames: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs | {"dtype": "float32"})
        self.patch, self.overlap, self.recent_frames = tuple(patch or ()), overlap, recent_frames

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights of the linear combinations."""
        if self.patch and self.recent_frames:
            shape = (self.patch[0] - self.overlap, self.recent_frames)
            self.continuation = self.add_weight(
                name="continuation", shape=shape, initializer="zeros"
            )
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        """Carry over; see the class."""
        if not self.patch:
            return inputs
        frames, bands = self.patch
        new_frames = frames - self.overlap
        patches = ops.reshape(inputs, (-1, frames, bands))
        known = patches[:, new_frames:]  # [B, overlap, bands]
        if self.recent_frames:
            # [new, recent] × [B, recent, bands] -> [B, new, bands]
            new = ops.matmul(self.continuation, patches[:, frames - self.recent_frames :])
        else:
            new = ops.zeros_like(patches[:, :new_frames])
        return ops.reshape(ops.concatenate([known, new], axis=1), (-1, frames * bands))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        own = {"patch": self.patch, "overlap": self.overlap}
        return super().get_config() | own | {"recent_frames": self.recent_frames}
