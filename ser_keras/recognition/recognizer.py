"""Recognition of whole recordings: the emotion at every instant, in memory that does not grow."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ser_keras.errors import AudioError
from ser_keras.fields import require
from ser_keras.interruption import deferred
from ser_keras.model import files as model_files
from ser_keras.model.vrnn import VRNN
from ser_keras.recognition.bulk import SoundBatch, in_batches
from ser_keras.recognition.chunks import Chunk, Path, chunks_of
from ser_keras.recognition.description import Describer
from ser_keras.recognition.instants import (
    Instant,
    Instants,
    SoundStep,
    Step,
    describe_attention,
)
from ser_keras.sound.level import SILENT_LEVEL
from ser_keras.sound.takes import Choice, Take, takes

Receive = Callable[[np.ndarray, np.ndarray], None]  # takes saliency and attention, [D]


class Recognizer:
    """Recognises emotion in recordings of any length.

    Args:
        model: a trained model, or the folder of a run or `.keras` file that holds one.

    Raises:
        ConfigurationError: there is no such model.

    Example:
        >>> answer = ser.Recognizer(model).recognize(wav, end=1.0)
        >>> answer["duration"], [instant["time"] for instant in answer["instants"]]
        (1.0, [0.5, 1.0])
    """

    def __init__(self, model: VRNN | Path) -> None:
        self.model = model if isinstance(model, VRNN) else model_files.load(model)
        self._step = SoundStep(self.model)

    @functools.cached_property
    def _describer(self) -> Describer:
        return Describer(self.model.features, self.model.classes, self.model.familiarity)

    @functools.cached_property
    def _batch(self) -> SoundBatch:
        return SoundBatch(self.model)

    def recognize(
        self,
        sound: Path | ArrayLike,
        sample_rate: float | None = None,
        *,
        start: float | None = None,
        end: float | None = None,
        channel: int | None = None,
        attention: bool | Receive = True,
    ) -> dict[str, Any]:
        """Recognise the emotion in a recording, or in a segment of it.

        Args:
            sound: a path, or samples [N] or [N, channels]; floats, full scale is -1 to 1, or int16.
            sample_rate: of samples, in hertz.
            start: where the segment begins, in seconds; None for the recording's beginning.
            end: where it ends; None for the recording's end.
            channel: the channel to take, from 0; None for the mean of all.
            attention: whether the instants have saliency and attention, which take 250 kB of memory
                an instant where observations are patches. A function receives them instead,
                instant by instant.

        Returns:
            file, of a path; channel, if one was chosen; emotion and probabilities {label: 0..1} at
            the end; duration in seconds; padded, whether the segment was shorter than one window
            and silence was added to it; silent, whether there is nothing but silence: every window
            below `ser_keras.sound.level.SILENT_LEVEL`; familiarity, the share of the recordings
            that the model knows that it finds as surprising as this one, None of a single instant
            or where the model has not learnt it; and instants: time (where the window ends,
            in seconds of the segment: past its end where silence was appended), emotion,
            probabilities, sampled_fraction and, unless `attention` says otherwise, saliency [D] in
            standard deviations and attention [D] of zeros and ones.

        Raises:
            AudioError: the sound cannot be used.
            ConfigurationError: samples without a rate, or a path with one.
        """
        answer = self._answer(chunks_of(sound, sample_rate, start, end, channel), attention)
        if isinstance(sound, (str, os.PathLike)):
            return {**Take(str(sound), channel).named(), **answer}
        return answer

    def recognize_samples(
        self, samples: ArrayLike, attention: bool | Receive = True
    ) -> dict[str, Any]:
        """Recognise the emotion in samples at the model's rate; otherwise as `recognize`."""
        return self.recognize(samples, self.model.features.sample_rate, attention=attention)

    def recognize_files(
        self,
        paths: Iterable[Path],
        attention: bool | Receive = True,
        channel: Choice = None,
        batch_size: int | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Recognise many recordings, in their order; one that cannot be used gives {file, error}.

        Args:
            paths: the recordings, as many as one likes: they are read when their turn comes.
            attention: as for `recognize`.
            channel: the channel to take, from 0; "each" gives an answer for every one.
            batch_size: recordings to answer together, which is many times as fast; they are decoded
                in threads meanwhile. The instants are then without saliency and attention. None
                answers one after the other.
        """
        wanted = (take for path in paths for take in takes([str(path)], channel))
        return self.recognize_takes(wanted, attention, batch_size)

    def recognize_takes(
        self,
        wanted: Iterable[Take],
        attention: bool | Receive = True,
        batch_size: int | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Recognise recordings, or single channels of them, as `recognize_files`."""
        if batch_size is None:
            for take in wanted:
                yield self._line(take, attention=attention)
            return
        require(batch_size >= 1, "batch_size", batch_size, "at least 1")
        for take, recording, answer in in_batches(self._batch, wanted, batch_size):
            if isinstance(recording, AudioError):
                yield {**take.named(), "error": recording.reason}
            elif recording is None or answer is None:
                yield self._line(take, attention=False)
            else:
                yield {**take.named(), **self._describer.recording(recording, answer)}

    def recognize_segments(
        self,
        segments: Iterable[tuple[Path, float | None, float | None]],
        attention: bool | Receive = True,
    ) -> Iterator[dict[str, Any]]:
        """Recognise segments, each a path, a start and an end, as `recognize_files`."""
        for path, start, end in segments:
            yield self._line(Take(str(path)), start=start, end=end, attention=attention)

    def _line(self, take: Take, **options: Any) -> dict[str, Any]:
        try:
            return self.recognize(take.file, channel=take.channel, **options)
        except AudioError as error:
            return {**take.named(), "error": error.reason}

    def _answer(self, chunks: Iterable[Chunk], attention: bool | Receive) -> dict[str, Any]:
        return answer_in_chunks(self._step, self._describer, chunks, attention)


def answer_in_chunks(
    step: Step, describer: Describer, chunks: Iterable[Chunk], attention: bool | Receive = False
) -> dict[str, Any]:
    """Answer a recording of any length, in memory that does not grow; return its line.

    Args:
        step: of the model.
        describer: of its answers.
        chunks: of the recording, one after the other, with their rate in hertz.
        attention: as of `Recognizer.recognize`.

    Raises:
        AudioError: a chunk cannot be decoded.

    Example:
        >>> describer = Describer(model.features, model.classes, model.familiarity)
        >>> chunks = [(np.zeros(8000, np.float32), 8000)] * 3
        >>> answer_in_chunks(SoundStep(model), describer, chunks)["duration"]
        3.0
    """
    recording = Instants(step)
    instants, surprisals, silent = [], [], True
    with deferred() as interruption:
        for instant in _instants(recording, chunks):
            if (answer := instant.answer) is not None:  # it never is, without a gate
                described = describer.instant(
                    instant.time, answer.probabilities, answer.sampled_fraction
                )
                if callable(attention):
                    attention(np.asarray(answer.saliency), np.asarray(answer.attention))
                elif attention:
                    described |= describe_attention(answer)
                instants.append(described)
                surprisals.append(answer.surprisal)
            silent = silent and instant.level < SILENT_LEVEL
            interruption.check()
    cost = float(np.mean(surprisals[1:])) if surprisals[1:] else np.nan
    return describer.whole(instants, recording.duration, recording.padded, silent, cost)


def _instants(recording: Instants, chunks: Iterable[Chunk]) -> Iterator[Instant]:
    """Yield the instants of a recording from its first chunk to its end."""
    for samples, rate in chunks:
        yield from recording.push(samples, rate)
    yield from recording.finish()
