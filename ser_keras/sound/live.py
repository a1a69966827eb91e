"""Sound as it arrives, from a pipe or the microphone, in chunks.

Functions raise AudioError for a pipe without sound that can be decoded, and for a device that is
missing or cannot record; ConfigurationError where sounddevice is not installed.
"""

from __future__ import annotations

import io
import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

import numpy as np
import soundfile

from ser_keras.errors import AudioError, ConfigurationError, warn_of
from ser_keras.fields import require
from ser_keras.interruption import deferred, undisturbed
from ser_keras.sound import decoding, formats, wav_header
from ser_keras.sound.views import View

_BLOCK = 1 << 16  # bytes
_PIPE = "standard input"  # its name in errors
_FEW = 64  # bytes, that tell all formats but MPEG's: more would keep live samples waiting

# libsndfile's names of samples without a header, by ours; all are little-endian.
ENCODINGS = {"int16": "PCM_16", "int32": "PCM_32", "float32": "FLOAT"}
# Of the samples of a WAV, by format and bits.
_WAV_ENCODINGS = {
    (wav_header.INTEGER, 8): "PCM_U8",
    (wav_header.INTEGER, 16): "PCM_16",
    (wav_header.INTEGER, 24): "PCM_24",
    (wav_header.INTEGER, 32): "PCM_32",
    (wav_header.FLOAT, 32): "FLOAT",
    (wav_header.FLOAT, 64): "DOUBLE",
    (wav_header.A_LAW, 8): "ALAW",
    (wav_header.MU_LAW, 8): "ULAW",
}
_BYTES = {"PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8}

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
    """Read a file of any format, or bare samples, until the writer closes the pipe.

    The first bytes tell which it is. Bare samples, and the usual kinds of WAV, are decoded as they
    arrive; a WAV ends where its header says, as in a file. What else there is must be there as a
    whole before it is decoded, and waits in a temporary file.

    Args:
        pipe: binary and buffered, such as `sys.stdin.buffer`.
        raw: the format of samples without a header.

    Example:
        >>> import io
        >>> list(from_pipe(io.BytesIO(bytes([0, 64])), RawFormat()))
        [(array([[0.5]], dtype=float32), 16000)]
    """
    beginning = pipe.read(_FEW)
    if not beginning:
        raise AudioError(_PIPE, "expected sound, found nothing")
    if beginning[0] in (0xFF, 0x47):  # as MP3, AAC and MPEG-TS begin, and samples, too
        beginning += pipe.read(formats.ENOUGH - len(beginning))
    replayed = _Replayed(pipe, beginning)
    form = formats.identify(beginning)
    if form is None:
        bare = ENCODINGS[raw.encoding]
        yield from _samples(replayed, bare, raw.sample_rate, raw.channels, math.inf)
        return
    decoding.check_format(_PIPE, form)
    if beginning[:4] == b"RIFF":
        wav, claimed = wav_header.read(replayed, _PIPE)
        if coding := _WAV_ENCODINGS.get((wav.tag, wav.bits)):
            length = _length(replayed, wav, claimed)
            yield from _samples(replayed, coding, wav.sample_rate, wav.channels, length)
            return
    with tempfile.TemporaryFile() as file:
        file.write(replayed.seen)
        while received := replayed.read1(_BLOCK):
            file.write(received)
        yield from undisturbed(decoding.blocks(View(file, 0, file.tell(), name=_PIPE)))


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


def _length(pipe: _Replayed, wav: wav_header.WavFormat, claimed: int) -> float:
    """Return the bytes of sound in a WAV, which may be infinite, as far as its header tells."""
    try:
        RawFormat(wav.sample_rate, wav.channels)
    except ConfigurationError as error:
        raise AudioError(_PIPE, str(error)) from error
    if wav_header.is_length(claimed):
        return claimed - claimed % wav.frame_bytes
    following = pipe.peek(wav_header.CHUNK_HEADER)
    if not following or (claimed == 0 and wav_header.is_chunk(following, math.inf)):
        return 0
    warn_of(_PIPE, wav_header.UNFINISHED)
    return math.inf


def _samples(
    pipe: _Replayed, coding: str, sample_rate: int, channels: int, length: float
) -> Iterator[Chunk]:
    """Decode samples as they arrive, up to so many bytes, which may be infinite."""
    frame = _BYTES.get(coding, 1) * channels
    rest, decoded, missing = b"", 0, length
    while missing and (received := pipe.read1(int(min(missing, _BLOCK)))):
        missing -= len(received)
        content = rest + received
        whole = len(content) - len(content) % frame
        rest = content[whole:]
        if whole:
            decoded += whole // frame
            # Waiting for more may be interrupted, libsndfile may not.
            with deferred():
                chunk = soundfile.read(
                    io.BytesIO(content[:whole]), dtype="float32", always_2d=True, format="RAW",
                    subtype=coding, samplerate=sample_rate, channels=channels, endian="LITTLE",
                )  # fmt: skip
            yield chunk
    if not decoded:
        raise AudioError(_PIPE, "expected sound, found no samples")
    if missing and math.isfinite(missing):
        expected = f"expected {length / frame / sample_rate:.2f} s of sound"
        found = f"found {decoded / sample_rate:.2f} s"
        raise AudioError(_PIPE, f"truncated: {expected}, {found}")


class _Replayed:
    """A pipe from its beginning, after some bytes were read; `seen` is what `read` has returned."""

    def __init__(self, pipe: Any, beginning: bytes) -> None:
        self._pipe = pipe
        self._beginning = beginning
        self.seen = b""

    def read(self, size: int) -> bytes:
        """Return so many bytes, fewer at the end."""
        content = self._take(size)
        if missing := size - len(content):
            content += self._pipe.read(missing)
        self.seen += content
        return content

    def read1(self, size: int) -> bytes:
        """Return what has arrived, without waiting for more."""
        return self._take(size) or bytes(self._pipe.read1(size))

    def peek(self, size: int) -> bytes:
        """Return the next bytes, which stay unread."""
        if (missing := size - len(self._beginning)) > 0:
            self._beginning += self._pipe.read(missing)
        return self._beginning[:size]

    def _take(self, size: int) -> bytes:
        content, self._beginning = self._beginning[:size], self._beginning[size:]
        return content
