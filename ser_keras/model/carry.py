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

    Consecutive patches overlap: the frames that both have move to the front of the next patch. To
    all its frames, known and new, a learnt linear combination of the frames at both ends of the
    known ones is added, the same for every band: new frames continue the newest, and frames at the
    edge of a patch, whose windows reach beyond it, differ from the same frames inside the next. An
    observation without frames is carried over as it is.

    Args:
        patch: frames and bands of an observation; None where it has no frames.
        overlap: frames that a patch shares with the one before it.
        end_frames: frames at either end of the known ones that are combined. With 0, and before
            training, the new frames are the mean of the training data, 0.

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
        end_frames: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs | {"dtype": "float32"})
        self.patch, self.overlap, self.end_frames = tuple(patch or ()), overlap, end_frames

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights of the linear combinations."""
        if self.patch and self.end_frames:
            shape = (self.patch[0], 2 * self.end_frames)
            self.combinations = self.add_weight(
                name="combinations", shape=shape, initializer="zeros"
            )
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        """Carry over; see the class."""
        if not self.patch:
            return inputs
        frames, bands = self.patch
        new_frames = frames - self.overlap
        known = ops.reshape(inputs, (-1, frames, bands))[:, new_frames:]  # [B, overlap, bands]
        carried = ops.pad(known, [[0, 0], [0, new_frames], [0, 0]])  # [B, frames, bands]
        if self.end_frames:
            ends = [known[:, : self.end_frames], known[:, self.overlap - self.end_frames :]]
            # [frames, 2 ends] × [B, 2 ends, bands] -> [B, frames, bands]
            carried += ops.matmul(self.combinations, ops.concatenate(ends, axis=1))
        return ops.reshape(carried, (-1, frames * bands))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        own = {"patch": self.patch, "overlap": self.overlap}
        return super().get_config() | own | {"end_frames": self.end_frames}
