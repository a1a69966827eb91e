"""The instants of one recording, answered as its sound arrives, in memory that does not grow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from ser_keras.features.frontend import Frontend
from ser_keras.features.spec import FeatureSpec
from ser_keras.model.familiarity import surprisal
from ser_keras.model.vrnn import VRNN
from ser_keras.recognition.chunks import ChunkResampler, Windows
from ser_keras.sound.level import level

Tensor = Any


class Answer(NamedTuple):
    """A model's answer to a window.

    Example:
        >>> zeros = np.zeros(4, np.float32)
        >>> Answer(np.array([0.25, 0.75], np.float32), 0.5, zeros, zeros).sampled_fraction
        0.5
    """

    probabilities: np.ndarray  # float32 [C]
    sampled_fraction: float
    saliency: Tensor  # S_t, float32 [D]
    attention: Tensor  # W_t, float32 [D]
    surprisal: float = np.nan  # of the window, in nats an element; NaN of the first


class Instant(NamedTuple):
    """One window of a recording.

    Example:
        >>> Instant(time=1.5, level=-80.0, answer=None).answer
    """

    time: float  # where the window ends, in seconds
    level: float  # in decibels, as `ser_keras.sound.level.level`
    answer: Answer | None  # None where the gate kept the window from the model


class Step:
    """A step from a window of sound to an answer, by a graph: `SoundStep.function`.

    Args:
        function: the graph.
        spec: the features of its model.
        states: that a recording begins with: the model's, and its log scale.

    Example:
        >>> step = SoundStep(model)
        >>> window = np.zeros(model.features.window_length, np.float32)
        >>> same = Step(step.function, model.features, step.initial_states())
        >>> same(window, same.initial_states())[0].probabilities.shape
        (8,)
    """

    def __init__(
        self, function: Callable[..., Any], spec: FeatureSpec, states: list[Tensor]
    ) -> None:
        self.spec = spec
        self._function = function
        self._initial = states

    def initial_states(self) -> list[Tensor]:
        """Return the states that a recording begins with."""
        return self._initial

    def __call__(self, window: np.ndarray, states: list[Tensor]) -> tuple[Answer, list[Tensor]]:
        """Answer float32 [window_length]; return the new states, too."""
        outputs = self._function(tf.constant(window), states)
        probabilities, fraction, saliency, attention, cost, states = outputs
        (sampled,) = shortest(fraction.numpy()[np.newaxis])
        answer = Answer(probabilities.numpy(), sampled, saliency, attention, float(cost))
        return answer, states


class SoundStep(Step):
    """A model's step from a window of sound to an answer: one graph for all recordings.

    Args:
        model: a trained model.

    Example:
        >>> step = SoundStep(model)
        >>> window = np.zeros(model.features.window_length, np.float32)
        >>> answer, states = step(window, step.initial_states())
        >>> answer.probabilities.shape
        (8,)
    """

    def __init__(self, model: VRNN) -> None:
        self.model = model
        self._frontend = Frontend(model.features)
        log_scale = tf.zeros([1, model.features.observation_size])
        states = [*model.get_initial_state(1), log_scale]
        signature = [
            tf.TensorSpec([model.features.window_length], tf.float32),
            [tf.TensorSpec(state.shape, tf.float32) for state in states],
        ]
        # Exported models have it, too.
        self.function = tf.function(self._step, signature, autograph=False)
        # Tracing takes less time than three steps without a graph.
        super().__init__(self.function.get_concrete_function(), model.features, states)

    def _step(self, window: Tensor, states: list[Tensor]) -> tuple[Tensor, ...]:
        observation = self._frontend.extract_windows(window[tf.newaxis])  # [1, ...]
        *states, log_scale = states
        begun = states[-1][0, 0]  # 0 at the first instant, where nothing was predicted
        step, states = self.model.step(observation, states)
        cost = surprisal(step.saliency[0], log_scale[0], self.model.objective.likelihood)
        return (
            tf.nn.softmax(step.logits[0]),
            tf.reduce_mean(step.attention),
            step.saliency[0],
            step.attention[0],
            tf.where(begun > 0, cost, np.nan),
            [*states, step.next_log_scale],
        )


class Instants:
    """Answers the windows of one recording, chunk by chunk, however it is cut into chunks.

    Args:
        step: of the model.
        gate: level in decibels below which the model does not receive a window; None: it receives
            all.

    Example:
        >>> instants = Instants(SoundStep(model))  # windows and hops of 0.5 s
        >>> [instant.time for instant in instants.push(np.zeros(9000, np.float32), rate=8000)]
        [0.5, 1.0]
    """

    def __init__(self, step: Step, gate: float | None = None) -> None:
        self._step = step
        self._spec = step.spec
        self._gate = gate
        self._resampler = ChunkResampler(self._spec.sample_rate)
        self._windows = Windows(self._spec)
        self._states = step.initial_states()
        self._count = 0  # instants so far
        self._length = 0  # samples so far, at the model's rate

    @property
    def duration(self) -> float:
        """Seconds of sound so far; those of a whole recording after `finish`."""
        return self._length / self._spec.sample_rate

    @property
    def padded(self) -> bool:
        """Whether the sound so far is shorter than a window."""
        return self._length < self._spec.window_length

    def push(self, samples: np.ndarray, rate: int) -> Iterator[Instant]:
        """Take the next float32 [N], always of the same rate in hertz; yield what they complete."""
        return self._receive(self._resampler.push(samples, rate))

    def finish(self) -> Iterator[Instant]:
        """Take what is still on its way through the resampler, and the silence that follows.

        Silence is appended if the model expects it, a rest shorter than a window is ignored, and a
        recording shorter than one is padded with silence, so that there is an answer.
        """
        yield from self._receive(self._resampler.finish())
        if self._count or self._windows.pending:
            yield from self._cut(np.zeros(self._spec.trailing_length, np.float32))
        if not self._count and self._windows.pending:
            missing = self._spec.window_length - self._windows.pending
            yield from self._cut(np.zeros(missing, np.float32))

    def _receive(self, samples: np.ndarray) -> Iterator[Instant]:
        self._length += len(samples)
        return self._cut(samples)

    def _cut(self, samples: np.ndarray) -> Iterator[Instant]:
        """Yield the windows that are complete with float32 [N], at the model's rate."""
        for window in self._windows.push(samples):
            time, loudness, answer = self._spec.end_of_window(self._count), level(window), None
            self._count += 1
            if self._gate is None or loudness >= self._gate:
                answer, self._states = self._step(window, self._states)
            yield Instant(time, loudness, answer)


def name_probabilities(classes: Sequence[str], probabilities: np.ndarray) -> dict[str, Any]:
    """Return emotion and probabilities by name, given float32 [C].

    Example:
        >>> name_probabilities(("calm", "angry"), np.array([0.3, 0.7], np.float32))
        {'emotion': 'angry', 'probabilities': {'calm': 0.3, 'angry': 0.7}}
    """
    return {
        "emotion": classes[int(probabilities.argmax())],
        "probabilities": dict(zip(classes, shortest(probabilities), strict=True)),
    }


def describe_attention(answer: Answer) -> dict[str, list[Any]]:
    """Return saliency and attention of an instant by name.

    Example:
        >>> vectors = np.array([2.0, 0.5]), np.array([1.0, 0.0])
        >>> describe_attention(Answer(np.zeros(8), 0.5, *vectors))
        {'saliency': [2.0, 0.5], 'attention': [1, 0]}
    """
    saliency, attention = np.asarray(answer.saliency), np.asarray(answer.attention)
    return {
        "saliency": saliency.astype(np.float64).round(6).tolist(),
        "attention": attention.astype(int).tolist(),
    }


def shortest(values: np.ndarray) -> list[float]:
    """Convert float32 [N] to numbers of as few digits as tell them apart; JSON is half as long.

    Example:
        >>> shortest(np.array([0.1], np.float32)), np.array([0.1], np.float32).tolist()
        ([0.1], [0.10000000149011612])
    """
    return [float(str(value)) for value in values]
