"""A recording explained: the expectation, what came instead, and what moved the answer."""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from ser_keras.errors import AudioError
from ser_keras.evaluation import plots
from ser_keras.evaluation.explanation import listening, players, saving
from ser_keras.evaluation.explanation import maps as joined_maps
from ser_keras.evaluation.explanation import moments as found_moments
from ser_keras.evaluation.explanation.continued import Continuation, go_on
from ser_keras.evaluation.explanation.maps import Maps
from ser_keras.evaluation.explanation.moments import Moment
from ser_keras.evaluation.explanation.occlusion import Occlusion, occlude
from ser_keras.model import files as model_files
from ser_keras.model.vrnn import VRNN
from ser_keras.recognition.chunks import ChunkResampler, Path, chunks_of
from ser_keras.recognition.recognizer import Recognizer
from ser_keras.recognition.replay import Observations, Replay, Replayed
from ser_keras.sound import memory
from ser_keras.sound.takes import Take

LONGEST = 120.0  # seconds; of more, a picture shows nothing that a person could find


@dataclass(frozen=True, eq=False)
class Explanation:
    """A model's expectation of a recording, what came, and what moved its answer.

    Args:
        answer: as `Recognizer.recognize` gives it, without saliency and attention.
        samples: the recording, float32 [N], mono at the model's rate.
        replay: of the model.
        observed: the recording as the model reads it.
        replayed: what it makes of that.

    Example:
        >>> explanation = ser.explain(model, wav)
        >>> explanation.maps.came.shape[1], len(explanation.moments) <= 3
        (13, True)
    """

    answer: Mapping[str, Any]
    samples: NDArray[np.float32]
    replay: Replay
    observed: Observations
    replayed: Replayed

    @property
    def model(self) -> VRNN:
        """The model."""
        return self.replay.model

    @property
    def duration(self) -> float:
        """Seconds of the recording."""
        return len(self.samples) / self.model.features.sample_rate

    @property
    def padding_from(self) -> float | None:
        """Where the silence begins that the model read after the recording's end, in seconds."""
        return self.duration if self.times[-1] > self.duration else None

    @functools.cached_property
    def times(self) -> NDArray[np.float64]:
        """Where the windows end, in seconds, [T]: past the recording's end where it is padded."""
        return np.array([instant["time"] for instant in self.answer["instants"]])

    @functools.cached_property
    def probabilities(self) -> NDArray[np.float64]:
        """Of every emotion at every instant, [T, C], in the order of `model.classes`."""
        instants = self.answer["instants"]
        return np.array([list(instant["probabilities"].values()) for instant in instants])

    @functools.cached_property
    def maps(self) -> Maps:
        """The recording, its prediction and what was sampled, over time and frequency."""
        return joined_maps.join(self.model, self.observed, self.replayed, self.duration)

    @functools.cached_property
    def moments(self) -> list[Moment]:
        """The three instants that changed the answer's probability most, in order of time."""
        hop = self.model.features.hop
        return found_moments.find(self.probabilities, self.times, hop, self.maps)

    @property
    def story(self) -> list[str]:
        """A numbered line in plain English for each of the moments, or why there is none."""
        emotion = self.answer["emotion"]
        if self.answer["silent"]:
            return ["nothing but silence: the emotion means nothing"]
        if len(self.times) == 1:
            return ["too short to expect anything: one window, and one answer"]
        if not self.moments:
            return [f'the probability of "{emotion}" hardly changed']
        return [
            f"{number}  {found_moments.in_words(moment, emotion, self.maps)}"
            for number, moment in enumerate(self.moments, 1)
        ]

    @functools.cached_property
    def sounds(self) -> dict[str, NDArray[np.float32]]:
        """The recording, what was expected of it, and the surprise alone; see `listening`."""
        return listening.sounds(self.model, self.maps, self.samples)

    def occlusion(self) -> Occlusion:
        """Tell how the answer changes where a part is replaced by what was expected.

        Example:
            >>> ser.explain(model, wav).occlusion().band_changes.shape
            (8,)
        """
        return occlude(self.replay, self.observed, self.replayed)

    def continuation(
        self, seconds: float, start: float | None = None, seed: int = 0
    ) -> Continuation:
        """Let the generator go on by itself from an instant on; see `continued.go_on`.

        Example:
            >>> ser.explain(model, wav).continuation(seconds=1.0, start=0.5).start
            0.5
        """
        return go_on(self.replay, self.observed, self.samples, seconds, start, seed)

    def save(self, folder: Path, seconds: float | None = None, seed: int = 0) -> list[pathlib.Path]:
        """Write sounds, picture, numbers and a page that holds all of it; see `saving.save`.

        Args:
            folder: where to; it is made.
            seconds: of a continuation, to write that too.
            seed: of the continuation.

        Raises:
            OutputError: they cannot be written.
            ConfigurationError: seconds are out of their range.
        """
        continuation = None if seconds is None else self.continuation(seconds, seed=seed)
        return saving.save(self, folder, self.occlusion(), continuation)

    def audio(self) -> Any:
        """Return players of the sounds, for a notebook.

        Raises:
            ConfigurationError: IPython is not installed.

        Example:
            >>> ser.explain(model, wav).audio()  # doctest: +SKIP
        """
        return players.in_notebook(self.sounds, self.model.features.sample_rate)

    def plot(
        self, true_emotion: str | None = None, width: float | None = None, dark: bool = False
    ) -> Figure:
        """Draw it all over one axis of time; see `ser_keras.plots.explanation`.

        Example:
            >>> ser.explain(model, wav).plot(width=3.6).get_size_inches()[0].item()
            3.6
        """
        return plots.explanation(self, true_emotion, width, dark=dark)

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON has.

        answer, a line of `predict`; padding_from, in seconds or None; map, see `Maps`, with None
        for what was not predicted; and moments, see `Moment`.

        Example:
            >>> list(ser.explain(model, wav).to_dict())
            ['answer', 'padding_from', 'map', 'moments']
        """
        return {
            "answer": dict(self.answer),
            "padding_from": self.padding_from,
            "map": self.maps.to_dict(),
            "moments": [moment.to_dict() for moment in self.moments],
        }


def explain(
    model: VRNN | Path,
    sound: Path | ArrayLike,
    sample_rate: float | None = None,
    *,
    start: float | None = None,
    end: float | None = None,
    channel: int | None = None,
) -> Explanation:
    """Explain a model's answer to a recording, or to a segment of it.

    Args:
        model: a trained model, the folder of a run, a `.keras` file, or a preset with weights.
        sound: a path, or samples [N] or [N, channels]; floats, full scale is -1 to 1, or int16.
        sample_rate: of samples, in hertz.
        start: where the segment begins, in seconds.
        end: where it ends, in seconds.
        channel: the channel to take, from 0; None for the mean of all.

    Raises:
        AudioError: the sound cannot be used, or is longer than `LONGEST`.
        ConfigurationError: there is no such model; samples without a rate, or a path with one.

    Example:
        >>> explanation = ser.explain(model, np.zeros(16000), 8000, end=1.2)
        >>> explanation.answer["silent"], explanation.duration
        (True, 1.2)
    """
    recognizer, replay = _graphs(model if isinstance(model, VRNN) else model_files.load(model))
    name = memory.IN_MEMORY if sample_rate is not None else str(sound)
    resampler = ChunkResampler(recognizer.model.features.sample_rate)
    parts, seconds = [], 0.0
    for samples, rate in chunks_of(sound, sample_rate, start, end, channel):
        parts.append(resampler.push(samples, rate))
        seconds += len(samples) / rate
        if seconds > LONGEST:
            raise AudioError(
                name,
                f"duration: expected at most {LONGEST:g} s to explain, found more; choose a "
                "stretch by start and end",
            )
    samples = np.concatenate([*parts, resampler.finish()])
    answer = recognizer.recognize_samples(samples, attention=False)
    if sample_rate is None:
        answer = {**Take(name, channel).named(), **answer}
    observed = replay.read(samples)
    replayed = replay(observed.standardized, np.zeros((1, *observed.standardized.shape), bool))
    return Explanation(answer, samples, replay, observed, replayed)


@functools.lru_cache(maxsize=1)
def _graphs(model: VRNN) -> tuple[Recognizer, Replay]:
    """Make a model's graphs, and keep those of the last model: tracing takes seconds."""
    return Recognizer(model), Replay(model)
