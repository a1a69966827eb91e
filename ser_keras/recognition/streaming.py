"""Sound without end: an answer at every instant, in memory that does not grow.

Windows, features and steps are those of whole recordings; only their states are kept from chunk to
chunk. So the answers are the same however the sound is cut.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from os import PathLike
from typing import Any

import numpy as np
import soxr
import tensorflow as tf

from ser_keras.errors import AudioError, ConfigurationError
from ser_keras.features import reference
from ser_keras.features.spec import FeatureSpec
from ser_keras.model import files as model_files
from ser_keras.model.vrnn import VRNN
from ser_keras.recognition.recognizer import name_probabilities
from ser_keras.sound import decoding

NAME = "stream"  # what errors call the sound


class StreamingRecognizer:
    """Recognises emotion in sound as it arrives.

    Args:
        model: a trained model, or the folder of a run or `.keras` file that holds one.
        smoothing: from 0, each instant for itself, to below 1: the share of the smoothed
            probabilities so far in those of an instant. The model's own state is untouched.
        gate: level in decibels relative to full scale, such as -50: a window whose root mean
            square is below is taken for silence. The model does not hear it, and the answer
            stays what it was. None: everything is heard.

    Raises:
        ConfigurationError: there is no such model, or an option is out of its range.
    """

    def __init__(
        self,
        model: VRNN | str | PathLike[str],
        smoothing: float = 0.0,
        gate: float | None = None,
    ) -> None:
        if not 0.0 <= smoothing < 1.0:
            raise ConfigurationError(f"smoothing is {smoothing}, expected 0 to below 1")
        if gate is not None and not -math.inf < gate <= 0:
            raise ConfigurationError(f"gate is {gate} dB, expected at most 0")
        self.model = model if isinstance(model, VRNN) else model_files.load(model)
        self.smoothing = smoothing
        self.gate = gate
        self._hear = tf.function(self.model.step, reduce_retracing=True)
        self.reset()

    def reset(self) -> None:
        """Forget all that was heard: the next chunk begins another recording, at any rate."""
        self._rate: int | None = None
        self._resampler = Resampler(self.model.features.sample_rate)
        self._windows = Windows(self.model.features)
        self._states = self.model.get_initial_state(1)
        self._smoothed: np.ndarray | None = None
        self._instants = 0

    def push(self, samples: np.ndarray, sample_rate: int | None = None) -> list[dict[str, Any]]:
        """Hear what comes next.

        A chunk that cannot be used changes nothing: the stream goes on with the one after it.

        Args:
            samples: [N] or [N, channels], as many as there are, even one or none; floats, full
                scale is -1 to 1, or int16.
            sample_rate: in hertz; the stream's so far if None, the model's at its beginning.

        Returns:
            The instants that were completed, each as in `Recognizer.recognize`: time (where the
            window ends, in seconds), emotion, probabilities, sampled_fraction, saliency and
            attention; and heard, false where the gate took it for silence: then there are no
            saliency and attention, and before anything was heard no emotion.

        Raises:
            AudioError: samples of another kind, no sound, or another rate than before.
        """
        mono = decoding.mono(NAME, samples)
        rate = self._rate or self.model.features.sample_rate
        if sample_rate is not None and sample_rate != rate:
            if self._rate is not None:
                raise AudioError(
                    NAME,
                    f"sample rate is {sample_rate} Hz, expected {rate} Hz as before; "
                    "reset() begins another recording",
                )
            if not decoding.LOWEST_RATE <= sample_rate <= decoding.HIGHEST_RATE:
                raise AudioError(
                    NAME,
                    f"sample rate is {sample_rate} Hz, "
                    f"expected {decoding.LOWEST_RATE} to {decoding.HIGHEST_RATE} Hz",
                )
            rate = sample_rate
        self._rate = rate
        return self._extract(self._resampler.push(mono, rate))

    def finish(self) -> list[dict[str, Any]]:
        """Hear what is still on its way through the resampler, at the end of a recording.

        As for whole recordings, silence follows if the model expects it, what is left and shorter
        than a window is ignored, and a recording shorter than one is padded with silence, so that
        there is an answer. Afterwards only `reset` is of use.

        Returns:
            As `push`.
        """
        instants = self._extract(self._resampler.finish())
        if self._instants or self._windows.pending:
            silence = np.zeros(self.model.features.trailing_length, np.float32)
            instants += self._extract(silence)
        if not self._instants and self._windows.pending:
            missing = self.model.features.window_length - self._windows.pending
            instants = self._extract(np.zeros(missing, np.float32))
        return instants

    def _extract(self, samples: np.ndarray) -> list[dict[str, Any]]:
        return [self._instant(window) for window in self._windows.push(samples)]

    def _instant(self, window: np.ndarray) -> dict[str, Any]:
        spec = self.model.features
        time = spec.window + self._instants * spec.hop
        self._instants += 1
        if self.gate is not None and level(window) < self.gate:
            return {"time": time, "heard": False, **self._answer()}
        observation = reference.extract_window(window, spec)[np.newaxis]
        step, self._states = self._hear(tf.constant(observation), self._states)
        probabilities = tf.nn.softmax(step.logits[0]).numpy()
        if self._smoothed is not None:
            probabilities += self.smoothing * (self._smoothed - probabilities)
        self._smoothed = probabilities
        attention = step.attention[0].numpy()
        return {
            "time": time,
            "heard": True,
            **self._answer(),
            "sampled_fraction": float(attention.mean()),
            "saliency": step.saliency[0].numpy().tolist(),
            "attention": attention.astype(int).tolist(),
        }

    def _answer(self) -> dict[str, Any]:
        if self._smoothed is None:
            return {"emotion": None, "probabilities": None}
        return name_probabilities(self.model.classes, self._smoothed)


class Windows:
    """Cuts sound into overlapping windows, keeping no more of it than the next one needs.

    Args:
        spec: says how long windows are and how far apart they begin.
    """

    def __init__(self, spec: FeatureSpec) -> None:
        self._hop = spec.hop_length
        self._window = np.zeros(spec.window_length, np.float32)
        # Negative where windows lie apart: so many samples are skipped before the next begins.
        self.pending = 0

    def push(self, samples: np.ndarray) -> Iterator[np.ndarray]:
        """Windows that are complete with these samples; each is valid until the next is asked for.

        Args:
            samples: float32 [N].
        """
        place = 0
        while True:
            if self.pending < 0:
                skipped = min(-self.pending, len(samples) - place)
                place += skipped
                self.pending += skipped
            taken = min(len(self._window) - self.pending, len(samples) - place)
            if self.pending < 0 or not taken:
                return
            self._window[self.pending : self.pending + taken] = samples[place : place + taken]
            place += taken
            self.pending += taken
            if self.pending < len(self._window):
                return
            yield self._window
            self.pending -= self._hop
            if self.pending > 0:
                self._window[: self.pending] = self._window[self._hop :].copy()


class Resampler:
    """Resamples sound chunk by chunk to what `audio.load` gives of the whole.

    Args:
        sample_rate: wanted, in hertz.
    """

    def __init__(self, sample_rate: int) -> None:
        self._wanted = sample_rate
        self._given = sample_rate
        self._stream: soxr.ResampleStream | None = None
        self._heard = self._made = 0

    def push(self, samples: np.ndarray, rate: int) -> np.ndarray:
        """Resample what comes next; it may come out later.

        Args:
            samples: float32 [N].
            rate: of them, in hertz, the same in every call.
        """
        if rate == self._wanted:
            return samples
        if self._stream is None:
            self._given = rate
            self._stream = soxr.ResampleStream(rate, self._wanted, 1, "float32", quality="HQ")
        self._heard += len(samples)
        return self._count(self._stream.resample_chunk(samples))

    def finish(self) -> np.ndarray:
        """What is left, and the length made that of `audio.load`."""
        if self._stream is None:
            return np.empty(0, np.float32)
        rest = self._stream.resample_chunk(np.empty(0, np.float32), last=True)
        missing = -(-self._heard * self._wanted // self._given) - self._made
        return self._count(np.pad(rest[:missing], (0, max(0, missing - len(rest)))))

    def _count(self, samples: np.ndarray) -> np.ndarray:
        self._made += len(samples)
        return samples


def level(window: np.ndarray) -> float:
    """Root mean square in decibels relative to full scale; minus infinity for digital silence."""
    power = float(np.mean(np.square(window, dtype=np.float64)))
    return 10.0 * math.log10(power) if power else -math.inf
