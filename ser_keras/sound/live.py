"""Sound as it arrives, from a pipe or the microphone, in chunks.

Functions raise AudioError for a pipe without a WAV that can be read or samples, and for a device
that is missing or cannot record; ConfigurationError where sounddevice is not installed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, BinaryIO

import numpy as np

from ser_keras.errors import AudioError, ConfigurationError
from ser_keras.fields import require
from ser_keras.sound import decoding, wav_header

_RIFF = b"RIFF"  # the first bytes of a WAV
_PIPE = "standard input"  # its name in errors

# NumPy's name of samples without a header, and full scale in them.
ENCODINGS = {"int16": ("<i2", 2.0**15), "int32": ("<i4", 2.0**31), "float32": ("<f4", 1.0)}
# The same for the samples of a WAV, by format and bits.
_WAV_ENCODINGS = {
    wav_header.INTEGER: {8: ("u1", 2.0**7), 16: ENCODINGS["int16"], 32: ENCODINGS["int32"]},
    wav_header.FLOAT: {32: ENCODINGS["float32"], 64: ("<f8", 1.0)},
}

Chunk = tuple[np.ndarray, int]  # float32 [N, channels], hertz


@dataclass(frozen=True)
class RawFormat:
    """The format of samples without a header; the encoding is one of `ENCODINGS`.

    Example:
        >>> RawFormat(sample_rate=44100, channels=2).encoding
        'int16'
    """

    sample_rate: int = 16_000
    channels: int = 1
    encoding: str = "int16"

    def __post_init__(self) -> None:
        encodings = f"one of {', '.join(ENCODINGS)}"
        require(self.encoding in ENCODINGS, "encoding", self.encoding, encodings)
        for name, value, least, most in (
            ("channels", self.channels, 1, decoding.MOST_CHANNELS),
            ("rate", self.sample_rate, decoding.LOWEST_RATE, decoding.HIGHEST_RATE),
        ):
            require(least <= value <= most, name, value, f"{least} to {most}")


def from_pipe(pipe: Any, raw: RawFormat) -> Iterator[Chunk]:
    """Read a WAV of integers or floats, or samples without a header, until the writer closes it.

    A WAV's sound ends where its header says, as in a file. A writer that cannot know the length
    claims none or the largest there is; then sound is read until the pipe is closed.

    Args:
        pipe: binary and buffered, such as `sys.stdin.buffer`.
        raw: the format of samples without a header.

    Example:
        >>> import io
        >>> list(from_pipe(io.BytesIO(bytes([0, 64])), RawFormat()))
        [(array([[0.5]], dtype=float32), 16000)]
    """
    beginning = pipe.read(len(_RIFF))
    if not beginning:
        raise AudioError(_PIPE, "expected sound, found nothing")
    form: wav_header.WavFormat | RawFormat
    if beginning == _RIFF:
        beginning = b""
        form, encoding, length = _read_header(pipe)
    else:
        form, encoding, length = raw, ENCODINGS[raw.encoding], math.inf
    kind, full_scale = encoding
    offset = 1.0 if kind == "u1" else 0.0  # silence is in the middle of 8-bit WAV's range
    frame = np.dtype(kind).itemsize * form.channels  # bytes
    rest, any_sound = b"", False
    for received in _arriving(pipe, beginning, length):
        content = rest + received
        whole = len(content) - len(content) % frame
        rest = content[whole:]
        samples = np.frombuffer(content[:whole], kind).reshape(-1, form.channels)
        any_sound = any_sound or len(samples) > 0
        scaled = samples / np.float32(full_scale) - np.float32(offset)
        yield scaled.astype(np.float32), form.sample_rate
    if not any_sound:
        raise AudioError(_PIPE, "expected sound, found no samples")


def from_microphone(device: str | None, sample_rate: int) -> Iterator[Chunk]:
    """Record until interrupted.

    Args:
        device: a part of its name, or its number; None for the system's choice.
        sample_rate: in hertz.

    Example:
        >>> next(from_microphone("USB", 16_000))  # doctest: +SKIP
        (array([[0.0012], [0.0031], ...], dtype=float32), 16000)
    """
    try:
        import sounddevice
    except (ImportError, OSError) as error:  # OSError: the package without its native library
        raise ConfigurationError(
            f"--microphone: expected sounddevice (pip install 'ser-keras[microphone]'), "
            f"found {error}"
        ) from error
    recorded: SimpleQueue[np.ndarray] = SimpleQueue()

    def keep(samples: np.ndarray, *_: object) -> None:
        recorded.put(samples.copy())

    chosen = int(device) if device and device.isdigit() else device
    try:
        with sounddevice.InputStream(
            sample_rate, device=chosen, channels=1, dtype="float32", callback=keep
        ):
            while True:
                yield recorded.get(), sample_rate
    except (sounddevice.PortAudioError, ValueError) as error:
        raise AudioError("microphone", f"cannot record ({error})") from error


def _read_header(pipe: BinaryIO) -> tuple[wav_header.WavFormat, tuple[str, float], float]:
    """Read a WAV as far as its first sample: format, encoding, bytes of sound (may be infinite)."""
    form, claimed = wav_header.read(pipe, _PIPE)
    encodings = _WAV_ENCODINGS.get(form.tag)
    if encodings is None:
        raise AudioError(_PIPE, f"format: expected 1 (PCM) or 3 (float), found {form.tag}")
    if form.bits not in encodings:
        expected = " or ".join(map(str, encodings))
        raise AudioError(_PIPE, f"bits of a sample: expected {expected}, found {form.bits}")
    try:
        RawFormat(form.sample_rate, form.channels)
    except ConfigurationError as error:
        raise AudioError(_PIPE, str(error)) from error
    length = claimed - claimed % form.frame_bytes
    known = 0 < length < decoding.UNKNOWN_LENGTH
    return form, encodings[form.bits], length if known else math.inf


def _arriving(pipe: Any, beginning: bytes, length: float) -> Iterator[bytes]:
    """Yield `beginning`, then up to `length` bytes as they arrive."""
    if beginning:
        yield beginning
    # read1 gives what has arrived, without waiting for more.
    while length and (received := pipe.read1(int(min(length, 1 << 16)))):
        length -= len(received)
        yield received
