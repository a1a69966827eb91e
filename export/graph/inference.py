"""What every exported graph computes after the front end: utterances, and single steps."""

from __future__ import annotations

import math
from collections.abc import Callable

import tensorflow as tf

from ser_keras.model.vrnn import VRNN


class FlatState:
    """A model's state as one tensor, so that a client carries it without knowing what it is.

    Args:
        model: the model whose state it is.
    """

    def __init__(self, model: VRNN) -> None:
        begin = model.get_initial_state(1)
        self._shapes = [tuple(part.shape[1:]) for part in begin]
        self._types = [tf.as_dtype(part.dtype) for part in begin]
        self._sizes = [math.prod(shape) for shape in self._shapes]
        self.size = sum(self._sizes)

    def pack(self, parts: list[tf.Tensor]) -> tf.Tensor:
        """The parts of the state laid end to end, float32 [B, size]."""
        flat = [
            tf.reshape(tf.cast(part, tf.float32), [-1, size])
            for part, size in zip(parts, self._sizes, strict=True)
        ]
        return tf.concat(flat, axis=1)

    def unpack(self, state: tf.Tensor) -> list[tf.Tensor]:
        """The inverse of `pack`."""
        return [
            tf.cast(tf.reshape(part, [-1, *shape]), dtype)
            for part, shape, dtype in zip(
                tf.split(state, self._sizes, axis=1), self._shapes, self._types, strict=True
            )
        ]


class Inference:
    """A trained model without sampling and dropout, on flat observations.

    Args:
        model: a trained model.
        standardise: observations [..., *observation_shape] of a single step; as the model does if
            None.
    """

    def __init__(
        self, model: VRNN, standardize: Callable[[tf.Tensor], tf.Tensor] | None = None
    ) -> None:
        self._model = model
        self._standardize = standardize
        self._shape = model.features.observation_shape
        self.state = FlatState(model)

    def utterances(self, observations: tf.Tensor, instants: tf.Tensor) -> dict[str, tf.Tensor]:
        """Recognise whole utterances.

        Args:
            observations: float32 [B, T, D], zero where an utterance has ended.
            instants: int32 [B], 1 to T.

        Returns:
            probabilities [B, C] at the last instant, timeline [B, T, C], zero beyond the last
            instant, sampled_fraction [B], the mean over the instants, attention [B, T, D].
        """
        length = tf.shape(observations)[1]
        shaped = tf.reshape(observations, [-1, length, *self._shape])
        outputs = self._model({"observations": shaped, "instants": instants}, training=False)
        sampled = tf.reduce_sum(outputs["sampled_fraction"], axis=1)
        return {
            "probabilities": outputs["probabilities"],
            "timeline": outputs["timeline"],
            "sampled_fraction": sampled / tf.cast(instants, tf.float32),
            "attention": outputs["attention"],
        }

    def step(self, observation: tf.Tensor, state: tf.Tensor) -> dict[str, tf.Tensor]:
        """Hear one more instant.

        Args:
            observation: float32 [B, D].
            state: float32 [B, S], what the last step gave; zeros to begin.

        Returns:
            probabilities [B, C]; attention W_t [B, D]; prediction x̂_t [B, D], standardised, of
            this observation before it was heard; state [B, S].
        """
        shaped = tf.reshape(observation, [-1, *self._shape])
        step, parts = self._model.step(shaped, self.state.unpack(state), self._standardize)
        return {
            "probabilities": tf.nn.softmax(step.logits),
            "attention": step.attention,
            "prediction": step.prediction,
            "state": self.state.pack(parts),
        }
