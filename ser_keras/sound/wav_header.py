"""The header of a WAV that arrives through a pipe, where nothing can be read twice or skipped.

As in Multimedia Programming Interface and Data Specifications 1.0 (IBM and Microsoft, 1991), with
WAVE_FORMAT_EXTENSIBLE of Multiple Channel Audio Data and WAVE Files (Microsoft, 2001). Python's own
`wave` reads integers only, and its extensible form from Python 3.12 on.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Protocol

from ser_keras.errors import AudioError

INTEGER, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE  # format tags
SHORTEST_FORMAT, LONGEST_FORMAT = 16, 1 << 10  # bytes
SUBFORMAT = 24  # where in an extensible format its true tag is
BLOCK = 1 << 16


class Readable(Protocol):
    """A pipe: `read` waits for so many bytes, and gives fewer only at its end."""

    def read(self, count: int, /) -> bytes:
        """The next bytes."""


@dataclass(frozen=True)
class WavHeader:
    """What a WAV says of its samples.

    Attributes:
        tag: `INTEGER`, `FLOAT`, or another that this package cannot decode.
        bits: that a sample takes, whole bytes.
        channels: how many.
        sample_rate: in hertz.
        length: bytes of sound as the header has them, which may be a guess.
    """

    tag: int
    bits: int
    channels: int
    sample_rate: int
    length: int


def read(pipe: Readable, name: str) -> WavHeader:
    """Read as far as the first sample.

    Args:
        pipe: behind its first four bytes, "RIFF".
        name: what an error calls it.

    Raises:
        AudioError: it is no WAV, or ends within its header.
    """
    if _exactly(pipe, 8, name)[4:] != b"WAVE":
        raise AudioError(name, "not a WAV that can be read (RIFF of another kind)")
    form: tuple[int, int, int, int] | None = None
    while True:
        kind, size = struct.unpack("<4sI", _exactly(pipe, 8, name))
        if kind == b"data":
            if form is None:
                raise AudioError(name, "not a WAV that can be read (no format before the sound)")
            return WavHeader(*form, length=size)
        padded = size + size % 2  # chunks begin at even places
        if kind == b"fmt ":
            if not SHORTEST_FORMAT <= size <= LONGEST_FORMAT:
                raise AudioError(name, f"not a WAV that can be read (format of {size} bytes)")
            form = _format(_exactly(pipe, padded, name))
            continue
        while padded:
            padded -= len(_exactly(pipe, min(padded, BLOCK), name))


def _format(chunk: bytes) -> tuple[int, int, int, int]:
    """Tag, bits, channels and sample rate."""
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
    if tag == EXTENSIBLE and len(chunk) >= SUBFORMAT + 2:
        (tag,) = struct.unpack_from("<H", chunk, SUBFORMAT)
    return tag, -(-bits // 8) * 8, channels, rate


def _exactly(pipe: Readable, count: int, name: str) -> bytes:
    content = pipe.read(count)
    if len(content) < count:
        raise AudioError(name, "not a WAV that can be read (ends within its header)")
    return content
