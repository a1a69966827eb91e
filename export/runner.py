"""Recognise emotion with an exported TFLite file: copy this file, it needs nothing of ser_keras.

    pip install numpy ai-edge-litert
    python runner.py vrnn.tflite speech.wav            # a JSON line per instant
    arecord -t raw -f S16_LE -r 22050 | python runner.py vrnn.tflite -

The JSON file that was exported beside the TFLite file must lie beside it. It names the model's
sample rate; sound of another rate is refused, since resampling it well takes more than this file.
Memory stays the same however long the sound is.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

_CHUNK = 4096  # samples read at once, at most
_LOUDEST = 1e6  # a sample so far beyond full scale is no sound, and would stay in the state forever


class Runner:
    """Takes sound chunk by chunk and answers at every instant.

    Args:
        model: the TFLite file, whose JSON file lies beside it.
        threads: of the interpreter.

    Example:
        >>> runner = Runner(export.tflite(model, "model.tflite"))
        >>> sound = np.zeros(2 * runner.sample_rate)
        >>> [instant["time"] for instant in runner.push(sound)]
        [0.5, 1.0, 1.5, 2.0]
    """

    def __init__(self, model: str | Path, threads: int = 1) -> None:
        path = Path(model).with_suffix(".json")
        try:
            description = json.loads(path.read_text(encoding="utf-8"))
            self.labels: list[str] = description["labels"]
            self.sample_rate: int = description["sample_rate"]
            self._window_seconds: float = description["window"]
            self._hop_seconds: float = description["hop"]
            self._hop: int = description["hop_length"]
            self._silence = np.zeros(description["trailing_length"], np.float32)
            self._window = np.zeros((1, description["window_length"]), np.float32)
            self._state_size: int = description["state_size"]
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise ValueError(f"{path}: expected a model's description, found {error!r}") from error
        self._step = Interpreter(str(model), num_threads=threads).get_signature_runner("step")
        self.reset()

    def reset(self) -> None:
        """Begin another recording."""
        self._state = np.zeros((1, self._state_size), np.float32)
        # Samples in the window; negative where windows lie apart: so many samples to skip.
        self._filled = 0
        self._instants = 0

    def push(self, samples: np.ndarray) -> Iterator[dict[str, Any]]:
        """Take the next samples, as the answers are iterated over: without that, none is taken.

        Args:
            samples: float32 [N], mono, -1 to 1, at `sample_rate`. Others are a ValueError, and none
                of them is taken.

        Returns:
            The instants: time in seconds, where the window ends; emotion; probabilities {label:
            0..1}; attention, zeros and ones, of every element of the observation.
        """
        samples = np.asarray(samples, np.float32)
        if samples.ndim != 1:
            raise ValueError(f"samples: expected one dimension, found shape {samples.shape}")
        if not np.isfinite(samples).all():
            raise ValueError("samples: expected finite numbers, found NaN or infinity")
        loudest = np.abs(samples).max(initial=0.0)
        if loudest > _LOUDEST:
            raise ValueError(
                f"samples: expected at most {_LOUDEST:.0e} times full scale, found {loudest:.0e}"
            )
        return self._instants_of(samples)

    def finish(self) -> Iterator[dict[str, Any]]:
        """End the recording: answer for the silence behind it; less than a window is padded."""
        if self._instants or self._filled > 0:
            yield from self.push(self._silence)
        if not self._instants and self._filled > 0:
            yield from self.push(np.zeros(self._window.shape[1] - self._filled, np.float32))

    def _instants_of(self, samples: np.ndarray) -> Iterator[dict[str, Any]]:
        while len(samples):
            if self._filled < 0:
                taken = min(-self._filled, len(samples))
            else:
                taken = min(self._window.shape[1] - self._filled, len(samples))
                self._window[0, self._filled : self._filled + taken] = samples[:taken]
            samples = samples[taken:]
            self._filled += taken
            if self._filled == self._window.shape[1]:
                yield self._answer()

    def _answer(self) -> dict[str, Any]:
        outputs = self._step(waveform=self._window, state=self._state)
        # A copy: the interpreter writes its next answer over this one.
        self._state = outputs["state"].copy()
        probabilities = outputs["probabilities"][0].tolist()
        time = self._window_seconds + self._instants * self._hop_seconds
        self._instants += 1
        self._filled -= self._hop
        if self._filled > 0:
            self._window[0, : self._filled] = self._window[0, self._hop :].copy()
        return {
            "time": time,
            "emotion": self.labels[int(np.argmax(probabilities))],
            "probabilities": dict(zip(self.labels, probabilities, strict=True)),
            "attention": outputs["attention"][0].astype(int).tolist(),
        }


def _read_wav(path: str, sample_rate: int) -> Iterator[np.ndarray]:
    """Read a 16-bit WAV in chunks, float32 [N], its channels mixed down."""
    try:
        with wave.open(path, "rb") as sound:
            bits = 8 * sound.getsampwidth()
            if bits != 16:
                raise ValueError(f"{path}: expected 16 bits, found {bits}")
            if sound.getframerate() != sample_rate:
                raise ValueError(
                    f"{path}: expected {sample_rate} Hz, found {sound.getframerate()} Hz; convert "
                    f"it with `ffmpeg -i FILE -ar {sample_rate} -sample_fmt s16 OUT.wav`"
                )
            while content := sound.readframes(_CHUNK):
                samples = np.frombuffer(content, "<i2").reshape(-1, sound.getnchannels())
                yield samples.mean(axis=1, dtype=np.float32) / 32768
    except (wave.Error, EOFError) as error:
        raise ValueError(f"{path}: expected a WAV of integers, found {error!r}") from error


def _read_pipe() -> Iterator[np.ndarray]:
    """Read 16-bit mono samples from standard input as they arrive, float32 [N]."""
    kept = b""
    pipe: Any = sys.stdin.buffer
    # read1 returns as soon as there is something, without waiting for the rest.
    while received := pipe.read1(2 * _CHUNK):
        content = kept + received
        whole = len(content) // 2 * 2
        kept = content[whole:]  # half a sample
        yield np.frombuffer(content[:whole], "<i2").astype(np.float32) / 32768


def _main(arguments: list[str]) -> int:
    """Print a JSON line per instant; 2 on wrong usage, 1 on what cannot be read or written."""
    if len(arguments) != 2:
        print("usage: python runner.py MODEL.tflite FILE.wav|-", file=sys.stderr)
        return 2
    model, source = arguments
    try:
        runner = Runner(model)
        sound = _read_pipe() if source == "-" else _read_wav(source, runner.sample_rate)
        answers = (instant for chunk in sound for instant in runner.push(chunk))
        for instant in itertools.chain(answers, runner.finish()):
            print(json.dumps(instant), flush=True)
    except BrokenPipeError:
        # The reader of the answers is gone; Python must not try to write the rest at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (OSError, ValueError) as error:
        print(f"runner.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # the usual end of a live stream, not a failure
        print("runner.py: stopped", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
