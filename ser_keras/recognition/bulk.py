"""Recognition of many recordings: decoded in threads, answered in batches of like lengths."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from ser_keras.errors import AudioError
from ser_keras.features.frontend import Frontend
from ser_keras.features.spec import FeatureSpec
from ser_keras.interruption import deferred
from ser_keras.model.familiarity import surprisal
from ser_keras.model.vrnn import VRNN
from ser_keras.recognition.decoded import Recording, decode
from ser_keras.sound.takes import Take

# Batches that are decoded ahead, so that recordings of like lengths find each other.
BATCHES_AHEAD = 4

Tensor = Any


class BatchAnswer(NamedTuple):
    """A model's answer to one recording, with T instants.

    Example:
        >>> BatchAnswer(np.full((3, 8), 0.125), np.ones(3), surprisal=2.0).probabilities.shape
        (3, 8)
    """

    probabilities: np.ndarray  # float32 [T, C]
    sampled_fraction: np.ndarray  # float32 [T]
    surprisal: float  # the mean over instants; NaN of a single one


class SoundBatch:
    """A model's answers to a batch of recordings: one graph for batches of all sizes.

    Args:
        model: a trained model.

    Example:
        >>> sounds = [np.zeros(11025, np.float32), np.zeros(33075, np.float32)]
        >>> [len(answer.probabilities) for answer in SoundBatch(model)(sounds)]
        [2, 8]
    """

    def __init__(self, model: VRNN) -> None:
        self.model = model
        self._frontend = Frontend(model.features)
        signature = [tf.TensorSpec([None, None], tf.float32), tf.TensorSpec([None], tf.int32)]
        # Exported models have it, too.
        self.function = tf.function(self._answer, signature, autograph=False)

    def __call__(self, sounds: Sequence[np.ndarray]) -> list[BatchAnswer]:
        """Answer recordings, float32 [N] each, at the model's rate."""
        return answer_together(self.function, self.model.features, sounds)

    def _answer(self, waveforms: Tensor, samples: Tensor) -> tuple[Tensor, ...]:
        """Return probabilities [B, T, C], sampled fractions [B, T], surprisals and instants [B]."""
        model = self.model
        observations, instants = self._frontend(waveforms, samples)  # [B, T, ...]
        count, length = tf.unstack(tf.shape(observations)[:2])
        kept = [
            tf.TensorArray(tf.float32, length, element_shape=shape)
            for shape in ([None, len(model.classes)], [None], [None])
        ]

        def instant(t: Tensor, states: list[Tensor], log_scale: Tensor, kept: Any) -> Any:
            step, states = model.step(observations[:, t], states)
            found = (
                tf.nn.softmax(step.logits),
                tf.reduce_mean(step.attention, axis=-1),
                surprisal(step.saliency, log_scale, model.objective.likelihood),
            )
            kept = [array.write(t, value) for array, value in zip(kept, found, strict=True)]
            return t + 1, states, step.next_log_scale, kept

        log_scale = tf.zeros([count, model.features.observation_size])
        with model.cell.laid_out():
            *_, kept = tf.while_loop(
                lambda t, *_: t < length,
                instant,
                (0, model.get_initial_state(count), log_scale, kept),
            )
        probabilities, fractions, costs = (array.stack() for array in kept)  # [T, B, ...]
        # Nothing was predicted for the first instant.
        predicted = tf.sequence_mask(instants, length)[:, 1:]  # [B, T - 1]
        costs = tf.where(predicted, tf.transpose(costs)[:, 1:], 0.0)
        mean = tf.reduce_sum(costs, axis=1) / tf.cast(instants - 1, tf.float32)  # NaN of one
        by_recording = tf.transpose(probabilities, [1, 0, 2]), tf.transpose(fractions)
        return (*by_recording, mean, instants)


def answer_together(
    function: Callable[..., Any], spec: FeatureSpec, sounds: Sequence[np.ndarray]
) -> list[BatchAnswer]:
    """Answer recordings, float32 [N] each, at the model's rate, in one call.

    Args:
        function: `SoundBatch.function` of the model, or what an export has kept of it.
        spec: the model's features.
        sounds: the recordings.

    Example:
        >>> sounds = [np.zeros(11025, np.float32)]
        >>> (answer,) = answer_together(SoundBatch(model).function, model.features, sounds)
        >>> len(answer.sampled_fraction)
        2
    """
    # A recording shorter than a window is padded with silence.
    least = spec.window_length - spec.trailing_length
    lengths = np.array([max(len(sound), least) for sound in sounds], np.int32)
    padded = np.zeros((len(sounds), lengths.max()), np.float32)
    for row, sound in zip(padded, sounds, strict=True):
        row[: len(sound)] = sound
    found = [part.numpy() for part in function(tf.constant(padded), tf.constant(lengths))]
    return [
        BatchAnswer(probabilities[:count], fractions[:count], float(cost))
        for probabilities, fractions, cost, count in zip(*found, strict=True)
    ]


def in_batches(
    answer: SoundBatch, takes: Iterable[Take], batch_size: int
) -> Iterator[tuple[Take, Recording | AudioError | None, BatchAnswer | None]]:
    """Decode recordings in threads and answer them, in their order.

    The next are decoded while those before are answered; no more than some hundred are in memory.

    Args:
        answer: of the model.
        takes: the recordings, or channels of them.
        batch_size: recordings that are answered together.

    Yields:
        Each take; what it holds, the error if it cannot be used, or None if it is longer than
        `decoded.LONGEST`; and the answer to what it holds.

    Example:
        >>> ((_, recording, found),) = in_batches(SoundBatch(model), [Take(wav)], batch_size=8)
        >>> len(recording.samples) > 0, len(found.probabilities) > 0
        (True, True)
    """
    spec, rest = answer.model.features, iter(takes)
    pool = ThreadPoolExecutor(os.cpu_count())

    def begin() -> list[tuple[Take, Future[Recording | AudioError | None]]]:
        some = itertools.islice(rest, BATCHES_AHEAD * batch_size)
        return [(take, pool.submit(decode, take, spec)) for take in some]

    try:
        ahead = begin()
        while ahead:
            current, ahead = ahead, begin()
            decoded = [future.result() for _, future in current]
            answers = _answers(answer, decoded, batch_size)
            for index, (take, _) in enumerate(current):
                yield take, decoded[index], answers.get(index)
    finally:
        pool.shutdown(cancel_futures=True)


def _answers(
    answer: SoundBatch, decoded: Sequence[Recording | AudioError | None], batch_size: int
) -> dict[int, BatchAnswer]:
    """Answer the recordings that can be, by their indexes; those of like lengths together."""
    sounds = {i: each.samples for i, each in enumerate(decoded) if isinstance(each, Recording)}
    order = sorted(sounds, key=lambda index: len(sounds[index]))
    answers: dict[int, BatchAnswer] = {}
    with deferred() as interruption:
        for first in range(0, len(order), batch_size):
            indexes = order[first : first + batch_size]
            found = answer([sounds[index] for index in indexes])
            answers |= zip(indexes, found, strict=True)
            interruption.check()
    return answers
