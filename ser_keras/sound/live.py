"""Sound as it arrives: from a pipe or the microphone, in chunks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

import numpy as np

from ser_keras.errors import AudioError, ConfigurationError
from ser_keras.sound import decoding, wav_header

RIFF = b"RIFF"  # what a WAV begins with
PIPE = "standard input"
MICROPHONE = "microphone"

# Little-endian types of samples without a header, and what full scale is in them.
ENCODINGS = {"int16": ("<i2", 2.0**15), "int32": ("<i4", 2.0**31), "float32": ("<f4", 1.0)}
# The same of a WAV's samples, by format and bits.
WAV_SCALES = {
    wav_header.INTEGER: {8: ("u1", 2.0**7), 16: ENCODINGS["int16"], 32: ENCODINGS["int32"]},
    wav_header.FLOAT: {32: ENCODINGS["float32"], 64: ("<f8", 1.0)},
}

Chunk = tuple[np.ndarray, int]  # float32 [N, channels], hertz


@dataclass(frozen=True)
class RawFormat:
    """What samples without a header are.

    Raises:
        ConfigurationError: an option is out of its range.
    """

    sample_rate: int = 16_000
    channels: int = 1
    encoding: str = "int16"

    def __post_init__(self) -> None:
        if self.encoding not in ENCODINGS:
            raise ConfigurationError(
                f"encoding is {self.encoding!r}, expected one of {', '.join(ENCODINGS)}"
            )
        _check("channels", self.channels, 1, decoding.MOST_CHANNELS)
        _check("rate", self.sample_rate, decoding.LOWEST_RATE, decoding.HIGHEST_RATE)


def from_pipe(pipe: Any, raw: RawFormat) -> Iterator[Chunk]:
    """Read a WAV of integers or floats, or samples without a header, until the writer closes it.

    A WAV's sound ends where its header says, as in a file; who writes into a pipe and cannot know
    the length claims none or the largest there is, and is heard until the end.

    Args:
        pipe: binary, buffered, such as `sys.stdin.buffer`.
        raw: what the samples are if there is no header.

    Raises:
        AudioError: a WAV that cannot be read, or nothing at all.
    """
    beginning = pipe.read(len(RIFF))
    if not beginning:
        raise AudioError(PIPE, "is empty")
    if beginning == RIFF:
        rate, channels, kind, scale, length = _read_header(pipe)
        beginning = b""
    else:
        rate, channels, length = raw.sample_rate, raw.channels, math.inf
        kind, scale = ENCODINGS[raw.encoding]
    offset = 1.0 if kind == "u1" else 0.0  # 8-bit WAV has its silence in the middle
    size = np.dtype(kind).itemsize * channels
    kept, heard = b"", False
    for received in _arriving(pipe, beginning, length):
        content = kept + received
        whole = len(content) - len(content) % size
        kept = content[whole:]
        samples = np.frombuffer(content[:whole], kind).reshape(-1, channels)
        heard = heard or len(samples) > 0
        yield (samples / np.float32(scale) - np.float32(offset)).astype(np.float32), rate
    if not heard:
        raise AudioError(PIPE, "holds no samples")


def _arriving(pipe: Any, beginning: bytes, length: float) -> Iterator[bytes]:
    """What was read already, and so many bytes more as they arrive."""
    if beginning:
        yield beginning
    # read1 gives what has arrived, without waiting for more.
    while length and (received := pipe.read1(int(min(length, 1 << 16)))):
        length -= len(received)
        yield received


def from_microphone(device: str | None, sample_rate: int) -> Iterator[Chunk]:
    """Record until interrupted.

    Args:
        device: part of its name, or its number; the system's choice if None.
        sample_rate: in hertz.

    Raises:
        ConfigurationError: sounddevice is not installed.
        AudioError: there is no such device, or it cannot record.
    """
    try:
        import sounddevice
    except (ImportError, OSError) as error:  # OSError: the package without its native library
        raise ConfigurationError(
            f"--microphone: needs sounddevice (pip install 'ser-keras[microphone]'): {error}"
        ) from error
    heard: SimpleQueue[np.ndarray] = SimpleQueue()

    def keep(samples: np.ndarray, *_: object) -> None:
        heard.put(samples.copy())

    chosen = int(device) if device and device.isdigit() else device
    try:
        with sounddevice.InputStream(
            sample_rate, device=chosen, channels=1, dtype="float32", callback=keep
        ):
            while True:
                yield heard.get(), sample_rate
    except (sounddevice.PortAudioError, ValueError) as error:
        raise AudioError(MICROPHONE, f"cannot record ({error})") from error


def _read_header(pipe: Any) -> tuple[int, int, str, float, float]:
    """Rate, channels, type of samples, full scale and bytes; the pipe is then at the first sample.

    The number of bytes is infinite where the writer did not know it.
    """
    header = wav_header.read(pipe, PIPE)
    if header.tag not in WAV_SCALES:
        raise AudioError(PIPE, f"has samples of format {header.tag}, expected 1 (PCM) or 3 (float)")
    scales = WAV_SCALES[header.tag]
    if header.bits not in scales:
        *first, last = map(str, scales)
        raise AudioError(
            PIPE, f"has samples of {header.bits} bits, expected {', '.join(first)} or {last}"
        )
    try:
        RawFormat(header.sample_rate, header.channels)
    except ConfigurationError as error:
        raise AudioError(PIPE, str(error)) from error
    frame = header.channels * header.bits // 8
    length = header.length - header.length % frame
    known = 0 < length < decoding.UNKNOWN_LENGTH
    return header.sample_rate, header.channels, *scales[header.bits], length if known else math.inf


def _check(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise ConfigurationError(f"{name} is {value}, expected {least} to {most}")
