"""A recording gone through again, with parts of it replaced by what the model expected there."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from ser_keras.features.frontend import Frontend
from ser_keras.model.cell import Step
from ser_keras.model.dynamic_range import QUIET_SPEECH_DB
from ser_keras.model.vrnn import VRNN

# Versions of a recording that are gone through together: more would only take memory.
_TOGETHER = 8

Tensor = Any


class Observations(NamedTuple):
    """A recording as its model reads it; T instants of D elements.

    Example:
        >>> Observations(np.zeros((3, 40), np.float32), np.zeros(3)).standardized.shape
        (3, 40)
    """

    standardized: np.ndarray  # X_t, float32 [T, D]
    loudest: np.ndarray  # decibels that levels are relative to, float64 [T]; zeros where absolute


class Replayed(NamedTuple):
    """A model's answers to B versions of a recording.

    Example:
        >>> Replayed._fields
        ('probabilities', 'prediction', 'saliency', 'attention')
    """

    probabilities: np.ndarray  # float32 [B, T, C]
    prediction: np.ndarray  # x̂_t, made before X_t was read, float32 [B, T, D]; 0 at the first
    saliency: np.ndarray  # S_t, float32 [B, T, D]; of the first instant |X_t|
    attention: np.ndarray  # W_t, float32 [B, T, D]


class Replay:
    """Goes through recordings again; where asked to, a prediction takes the observation's place.

    Nothing is predicted for the first instant, so it always stays as it came.

    Args:
        model: a trained model.

    Example:
        >>> replay = Replay(model)
        >>> found = replay.read(np.zeros(12000, np.float32))  # 1.5 s, windows of 0.5 s
        >>> found.standardized.shape
        (3, 13)
        >>> nothing = np.zeros((1, *found.standardized.shape), bool)
        >>> replay(found.standardized, nothing).probabilities.shape
        (1, 3, 8)
    """

    def __init__(self, model: VRNN) -> None:
        self.model = model
        self._frontend = Frontend(model.features)
        size = model.features.observation_size
        signature = [
            tf.TensorSpec([None, size], tf.float32),
            tf.TensorSpec([None, None, size], tf.bool),
        ]
        function = tf.function(self._go_through, signature, autograph=False)
        self._function = function.get_concrete_function()

    def read(self, samples: np.ndarray) -> Observations:
        """Compute standardized observations of float32 [N], at the model's rate.

        Sound shorter than a window is padded with silence, as in recognition.
        """
        model, spec = self.model, self.model.features
        missing = spec.window_length - spec.trailing_length - len(samples)
        samples = np.pad(samples, (0, max(0, missing)))
        found, _ = self._frontend(samples[np.newaxis], np.array([len(samples)], np.int32))
        loudest = np.zeros(found.shape[1])
        if model.dynamic_range is not None:
            peaks = np.max(found[0], axis=(1, 2)).astype(float)
            loudest = np.maximum.accumulate(np.maximum(peaks, QUIET_SPEECH_DB))
            found = model.dynamic_range(found)
        flat = np.asarray(model.standardization(found))[0].reshape(len(loudest), -1)
        return Observations(flat, loudest)

    def __call__(self, observations: np.ndarray, replaced: np.ndarray) -> Replayed:
        """Answer B versions of one recording.

        Args:
            observations: standardized, float32 [T, D].
            replaced: bool [B, T, D], True where the prediction takes the observation's place.
        """
        observed = tf.constant(observations, tf.float32)
        parts = [
            self._function(observed, tf.constant(replaced[begin:][:_TOGETHER], tf.bool))
            for begin in range(0, len(replaced), _TOGETHER)
        ]
        return Replayed(*(np.concatenate(each) for each in zip(*parts, strict=True)))

    def probabilities(self, observations: np.ndarray, replaced: Iterable[np.ndarray]) -> np.ndarray:
        """Return the probabilities at the end, float32 [B, C]; memory does not grow with B.

        Args:
            observations: standardized, float32 [T, D].
            replaced: bool [T, D] of each version, made when its turn comes.

        Example:
            >>> replay = Replay(model)
            >>> found = replay.read(np.zeros(12000, np.float32)).standardized
            >>> replay.probabilities(found, [np.zeros(found.shape, bool)] * 20).shape
            (20, 8)
        """
        versions, answers = iter(replaced), []
        while together := list(itertools.islice(versions, _TOGETHER)):
            answers.append(self(observations, np.stack(together)).probabilities[:, -1])
        return np.concatenate(answers)

    def _go_through(self, observations: Tensor, replaced: Tensor) -> tuple[Tensor, ...]:
        """Return the fields of `Replayed`, from [T, D] and bool [B, T, D]."""
        cell = self.model.cell
        count, length = tf.unstack(tf.shape(replaced)[:2])
        sizes = (len(self.model.classes), *[self.model.features.observation_size] * 3)
        kept = [
            tf.TensorArray(tf.float32, length, element_shape=[None, size], clear_after_read=True)
            for size in sizes
        ]

        def instant(t: Tensor, states: list[Tensor], kept: Any) -> Any:
            prediction = states[-2]  # x̂_t
            chosen = tf.logical_and(replaced[:, t], t > 0)
            observation = tf.where(chosen, prediction, observations[t])
            output, states = cell(observation, states, training=False)
            step = Step.split(output, cell.sizes)
            found = tf.nn.softmax(step.logits), step.prediction, step.saliency, step.attention
            kept = [array.write(t, value) for array, value in zip(kept, found, strict=True)]
            return t + 1, states, kept

        with cell.laid_out():
            *_, kept = tf.while_loop(
                lambda t, *_: t < length, instant, (0, cell.get_initial_state(count), kept)
            )
        return tuple(tf.transpose(array.stack(), [1, 0, 2]) for array in kept)
