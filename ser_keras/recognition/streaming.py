"""Recognition of sound without end: an answer at every instant, in memory that does not grow.

Windows, features and steps are those of whole recordings; only their states are kept from chunk to
chunk. So the answers are the same however the sound is cut.
"""

from __future__ import annotations

import math
from os import PathLike
from typing import Any

import numpy as np

from ser_keras.errors import AudioError
from ser_keras.fields import require
from ser_keras.model import files as model_files
from ser_keras.model.vrnn import VRNN
from ser_keras.recognition.instants import (
    Instant,
    Instants,
    SoundStep,
    describe_attention,
    name_probabilities,
)
from ser_keras.sound import decoding, memory
from ser_keras.sound.level import SILENT_LEVEL

_NAME = "stream"  # the sound's name in errors


class StreamingRecognizer:
    """Recognises emotion in sound as it arrives.

    Args:
        model: a trained model, or the folder of a run or `.keras` file that holds one.
        smoothing: weight of the smoothed probabilities so far in those of an instant, from 0, each
            instant for itself, to below 1. The model's own state is untouched.
        gate: level in decibels relative to full scale, such as -50: a window whose root mean
            square is below is taken for silence. The model does not receive it, and the answer
            stays the same. None: the model receives everything.
        attention: whether instants have saliency and attention.

    Raises:
        ConfigurationError: there is no such model, or an option is out of its range.

    Example:
        >>> recognizer = ser.StreamingRecognizer(model)  # windows and hops of 0.5 s, at 8 kHz
        >>> [instant["time"] for instant in recognizer.push(np.zeros(9000, np.float32))]
        [0.5, 1.0]
    """

    def __init__(
        self,
        model: VRNN | str | PathLike[str],
        smoothing: float = 0.0,
        gate: float | None = None,
        attention: bool = True,
    ) -> None:
        require(0.0 <= smoothing < 1.0, "smoothing", smoothing, "0 to below 1")
        require(gate is None or -math.inf < gate <= 0, "gate", gate, "decibels of at most 0")
        self.model = model if isinstance(model, VRNN) else model_files.load(model)
        self.smoothing = smoothing
        self.gate = gate
        self.attention = attention
        self._step = SoundStep(self.model)
        self.reset()

    def reset(self) -> None:
        """Forget the sound so far: the next chunk begins another recording, at any rate."""
        self._rate: int | None = None
        self._recording = Instants(self._step, self.gate)
        self._smoothed: np.ndarray | None = None

    def push(self, samples: np.ndarray, sample_rate: int | None = None) -> list[dict[str, Any]]:
        """Take the next chunk.

        A chunk that cannot be used changes nothing: the stream goes on with the one after it.

        Args:
            samples: [N] or [N, channels], as many as there are, even one or none; floats, full
                scale is -1 to 1, or int16.
            sample_rate: in hertz; the stream's so far if None, the model's at its beginning.

        Returns:
            The instants that were completed, each as in `Recognizer.recognize`: time (where the
            window ends, in seconds), emotion, probabilities, sampled_fraction, saliency and
            attention; silent, whether the window is; and heard, false where the gate kept the
            window from the model: then there are no saliency and attention, and before the model
            received any window no emotion.

        Raises:
            AudioError: samples of another kind, no sound, or another rate than before.
        """
        mono = memory.mono(_NAME, samples, is_chunk=True)
        rate = self._rate or self.model.features.sample_rate
        if sample_rate is not None and sample_rate != rate:
            lowest, highest = decoding.LOWEST_RATE, decoding.HIGHEST_RATE
            expected = f"{lowest} to {highest} Hz"
            if self._rate is not None:
                expected = f"{rate} Hz as before (reset() begins another recording)"
            if self._rate is not None or not lowest <= sample_rate <= highest:
                raise AudioError(_NAME, f"sample rate: expected {expected}, found {sample_rate} Hz")
            rate = sample_rate
        self._rate = rate
        return [self._describe(instant) for instant in self._recording.push(mono, rate)]

    def finish(self) -> list[dict[str, Any]]:
        """Take what is still on its way through the resampler, at the end of a recording.

        As for whole recordings, silence is appended if the model expects it, a rest shorter than a
        window is ignored, and a recording shorter than one is padded with silence, so that there
        is an answer. Returns as `push`; afterwards only `reset` is of use.
        """
        return [self._describe(instant) for instant in self._recording.finish()]

    def _describe(self, instant: Instant) -> dict[str, Any]:
        answer = instant.answer
        if answer is not None:
            probabilities = answer.probabilities
            if self._smoothed is not None:
                probabilities = probabilities + self.smoothing * (self._smoothed - probabilities)
            self._smoothed = probabilities
        described: dict[str, Any] = {
            "time": instant.time,
            "heard": answer is not None,
            "silent": instant.level < SILENT_LEVEL,
        }
        if self._smoothed is None:
            return {**described, "emotion": None, "probabilities": None}
        described |= name_probabilities(self.model.classes, self._smoothed)
        if answer is not None:
            described |= {"sampled_fraction": answer.sampled_fraction}
            described |= describe_attention(answer) if self.attention else {}
        return described
