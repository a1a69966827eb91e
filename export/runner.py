"""Recognise emotion with an exported TFLite file: copy this file, it needs nothing of ser_keras.

    pip install numpy ai-edge-litert
    python runner.py vrnn.tflite speech.wav            # a JSON line per instant
    arecord -t raw -f S16_LE -r 22050 | python runner.py vrnn.tflite -

A pipe holds a WAV or 16-bit mono samples; what begins as another format does is refused by name.
The JSON file that was exported beside the TFLite file must lie beside it. It names the model's
sample rate; sound of another rate is refused, since resampling it well takes more than this file.
Memory stays the same however long the sound is.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import re
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

_CHUNK = 4096  # samples read at once, at most
_LOUDEST = 1e6  # a sample so far beyond full scale is no sound, and would stay in the state forever
_SILENT_LEVEL = -70.0  # of models that were exported before their description had it

# Formats by their first bytes, of `_FEW` or, as MP3 and AAC need more, of `_ENOUGH`.
_FEW, _ENOUGH = 64, 4096
_FORMATS = {
    rb"RIFF....WAVE": "WAV",
    rb"RIFX|RIFF": "RIFF of another kind",
    rb"RF64|BW64": "RF64",
    rb"riff\x2e\x91": "W64",
    rb"FORM....(AIF|8SV|16S)": "AIFF",
    rb"fLaC": "FLAC",
    rb"OggS": "Ogg",
    rb"\.snd|dns\.": "AU",
    rb"caff\x00": "CAF",
    rb"NIST_1A": "NIST SPHERE",
    rb"....ftyp|....(moov|mdat|wide|free|skip)....": "MP4 (m4a, mp4, 3gp, mov)",
    rb"#!AMR": "AMR",
    rb"\x1aE\xdf\xa3": "WebM (or Matroska)",
    rb"\x30\x26\xb2\x75": "WMA (ASF)",
    rb"ID3[\x02-\x04]": "MP3",
    rb"PK\x03\x04|\x1f\x8b\x08": "an archive",
    rb"[\t\n\r\x20-\x7e]{16}": "text",
}
_KILOBITS = {
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),  # MPEG-1, layer 3
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_PCM, _EXTENSIBLE = 1, 0xFFFE  # codings of a WAV
_UNKNOWN = 2**31 - 2**16  # as long as this a writer to a pipe claims to be, or 0


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
            self._silent_level: float = description.get("silent_level", _SILENT_LEVEL)
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
            0..1}; silent, whether the window is below the model's `silent_level`, the root mean
            square around the mean in decibels; attention, zeros and ones, of every element of the
            observation.
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
        deviation = float(np.std(self._window, dtype=np.float64))
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
            "silent": deviation < 10 ** (self._silent_level / 20),
            "attention": outputs["attention"][0].astype(int).tolist(),
        }


class _Pipe:
    """A file or pipe of sound, whose first bytes may be read twice."""

    def __init__(self, source: str) -> None:
        self.name = "standard input" if source == "-" else source
        self._file: Any = sys.stdin.buffer if source == "-" else Path(source).open("rb")  # noqa: SIM115
        self._next = b""

    def peek(self, size: int) -> bytes:
        if (missing := size - len(self._next)) > 0:
            self._next += self._file.read(missing)
        return self._next[:size]

    def read(self, size: int) -> bytes:
        content = self.peek(size)
        self._next = self._next[size:]
        return content

    def read1(self, size: int) -> bytes:
        """Return as soon as there is something, without waiting for the rest."""
        return self.read(min(size, len(self._next))) or self._file.read1(size)


def _read(source: str, sample_rate: int) -> Iterator[np.ndarray]:
    """Read a 16-bit WAV, or the samples of a pipe, as they arrive: float32 [N], mixed down."""
    pipe = _Pipe(source)
    beginning = pipe.peek(_FEW)
    if not beginning:
        raise ValueError(f"{pipe.name}: expected sound, found nothing")
    form = _identify(pipe.peek(_ENOUGH) if beginning[:1] == b"\xff" else beginning)
    if form == "WAV":
        channels, length = _read_header(pipe, sample_rate)
    elif form is None and source == "-":
        channels, length = 1, math.inf
    else:
        expected = f"expected a WAV of integers, found {form or 'something else'}"
        raise ValueError(f"{pipe.name}: {expected}; {_conversion(sample_rate)}")
    frame, rest, missing = 2 * channels, b"", length
    while missing and (received := pipe.read1(int(min(missing, 2 * _CHUNK)))):
        missing -= len(received)
        content = rest + received
        whole = len(content) - len(content) % frame
        rest = content[whole:]
        samples = np.frombuffer(content[:whole], "<i2").reshape(-1, channels)
        yield samples.mean(axis=1, dtype=np.float32) / 32768
    if missing and math.isfinite(missing):
        found = f"expected {length:.0f} bytes of sound, found {length - missing:.0f}"
        raise ValueError(f"{pipe.name}: truncated: {found}")


def _read_header(pipe: _Pipe, sample_rate: int) -> tuple[int, float]:
    """Read a WAV up to its sound; return its channels, and its bytes, infinite where unknown."""
    pipe.read(12)
    coding = channels = rate = bits = 0
    while len(header := pipe.read(8)) == 8:
        name, size = struct.unpack("<4sI", header)
        if name == b"data":
            break
        content = pipe.read(min(size, 26))
        rest = size + size % 2 - len(content)  # chunks begin at even positions
        while rest and (skipped := pipe.read(min(rest, 2 * _CHUNK))):
            rest -= len(skipped)
        if name == b"fmt " and len(content) >= 16:
            coding, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", content)
            if coding == _EXTENSIBLE and len(content) >= 26:
                (coding,) = struct.unpack_from("<H", content, 24)
    if coding != _PCM or not channels or len(header) < 8:
        found = f"found coding {coding}" if len(header) == 8 else "found one that ends before"
        raise ValueError(f"{pipe.name}: expected a WAV of integers, {found}")
    if bits != 16:
        raise ValueError(f"{pipe.name}: expected 16 bits, found {bits}")
    if rate != sample_rate:
        found = f"expected {sample_rate} Hz, found {rate} Hz"
        raise ValueError(f"{pipe.name}: {found}; {_conversion(sample_rate)}")
    if 0 < size < _UNKNOWN:
        return channels, size - size % (2 * channels)
    if not pipe.peek(1) or (size == 0 and re.match(rb"[ -~]{4}", pipe.peek(4))):  # another chunk
        raise ValueError(f"{pipe.name}: expected sound, found no samples")
    message = "the header does not say how long the sound is; read to its end"
    print(f"runner.py: {pipe.name}: {message}", file=sys.stderr)
    return channels, math.inf


def _conversion(sample_rate: int) -> str:
    return f"convert it with `ffmpeg -i FILE -ar {sample_rate} -sample_fmt s16 OUT.wav`"


def _identify(beginning: bytes) -> str | None:
    """Name a format by a file's first bytes; None for samples without a header."""
    for pattern, name in _FORMATS.items():
        if re.match(pattern, beginning, re.DOTALL):
            return name
    # Two frames at the right distance; the first bytes of one alone are common in samples.
    for name, length_of in (("MP3", _mp3_frame), ("AAC", _aac_frame)):
        length = length_of(beginning)
        following = beginning[length : length + 7]
        if length and (length_of(following) or (not following and len(beginning) == length)):
            return name
    return None


def _mp3_frame(header: bytes) -> int:
    """Return a frame's bytes by its header (ISO/IEC 11172-3, layer 3); 0 if it is none."""
    bits = int.from_bytes(header[:4], "big")
    version, kilobits, rate = bits >> 19 & 3, bits >> 12 & 15, bits >> 10 & 3
    is_layer_3 = bits >> 21 == 0x7FF and version != 1 and bits >> 17 & 3 == 1
    if not is_layer_3 or kilobits in (0, 15) or rate == 3:
        return 0
    hertz = (44_100, 48_000, 32_000)[rate] // {3: 1, 2: 2, 0: 4}[version]
    samples = 144_000 if version == 3 else 72_000
    return samples * _KILOBITS[version == 3][kilobits] // hertz + (bits >> 9 & 1)


def _aac_frame(header: bytes) -> int:
    """Return a frame's bytes by its header (ADTS); 0 if it is none."""
    if len(header) < 7 or header[0] != 0xFF or header[1] & 0xF6 != 0xF0:
        return 0
    return (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5


def _main(arguments: list[str]) -> int:
    """Print a JSON line per instant; 2 on wrong usage, 1 on what cannot be read or written."""
    if len(arguments) != 2:
        print("usage: python runner.py MODEL.tflite FILE.wav|-", file=sys.stderr)
        return 2
    model, source = arguments
    try:
        runner = Runner(model)
        sound = _read(source, runner.sample_rate)
        answers = (instant for chunk in sound for instant in runner.push(chunk))
        for instant in itertools.chain(answers, runner.finish()):
            line = json.dumps(instant, ensure_ascii=False) + "\n"
            sys.stdout.buffer.write(line.encode())  # JSON is UTF-8, whatever the locale
            sys.stdout.flush()
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
