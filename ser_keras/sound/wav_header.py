"""Headers of WAV files, read from front to back, as a pipe allows.

The format: Multimedia Programming Interface and Data Specifications 1.0 (IBM and Microsoft, 1991),
with WAVE_FORMAT_EXTENSIBLE of Multiple Channel Audio Data and WAVE Files (Microsoft, 2001).
Python's own `wave` reads integers only, and the extensible form only from Python 3.12 on.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple, Protocol

from ser_keras.errors import AudioError
from ser_keras.sound.views import View

INTEGER, FLOAT, A_LAW, MU_LAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE  # format tags
_FORMAT_SIZE = 16  # bytes of plain PCM's format
_SUBFORMAT = 24  # where an extensible format has its true tag
_BLOCK = 1 << 16
CHUNK_HEADER = 8  # bytes: name and size

# The writer of a pipe cannot know how much will follow, and claims the largest length that there is
# or none; a recorder that crashes leaves what it wrote at first.
UNKNOWN_LENGTH = 2**31 - 2**16
UNFINISHED = (
    "the header does not say how long the sound is, as of a recorder that crashed or a pipe; "
    "read to its end"
)
_NAME = re.compile(rb"[ -~]{4}")  # a chunk's
_DATA_SIZE = 8  # offset in the chunk ds64 of RF64, EBU Tech 3306


class _Readable(Protocol):
    """A file or pipe, read from front to back."""

    def read(self, size: int, /) -> bytes:
        """Return so many bytes, fewer at the end."""
        ...


class WavFormat(NamedTuple):
    """The kind of samples in a WAV file.

    Example:
        >>> WavFormat(tag=1, channels=2, sample_rate=22050, bits=16).frame_bytes
        4
    """

    tag: int  # INTEGER, FLOAT, A_LAW, MU_LAW or another
    channels: int
    sample_rate: int  # hertz
    bits: int  # of a sample, rounded up to whole bytes

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return self.channels * self.bits // 8


def read(pipe: _Readable, name: str) -> tuple[WavFormat, int]:
    """Read a WAV file as far as its first sample.

    Args:
        pipe: at the file's beginning, whose first four bytes are "RIFF".
        name: the recording's name in an AudioError.

    Returns:
        The format, and the bytes of sound that the header claims, which may be a guess.

    Example:
        >>> with open(wav, "rb") as file:
        ...     read(file, wav)[0]
        WavFormat(tag=1, channels=1, sample_rate=22050, bits=16)
    """
    kind = pipe.read(12)[8:]
    if len(kind) == 4 and kind != b"WAVE":
        raise AudioError(name, f"expected a WAV file, found RIFF of another kind, {kind!r}")
    form = None
    for chunk, size, found in chunks(pipe):
        form = found or form
        if chunk == b"data":
            if form is None:
                raise AudioError(name, "expected a WAV file, found no format before the sound")
            return form, size
    raise AudioError(name, "expected a WAV file, found one that ends within its header")


def chunks(file: _Readable) -> Iterator[tuple[bytes, int, WavFormat | None]]:
    """Walk over the chunks of a RIFF file up to its sound, or its end if that comes first.

    Args:
        file: positioned behind "RIFF", the size and "WAVE"; read from front to back only. After
            the chunk "data" it is positioned at the first sample.

    Yields:
        A chunk's name, the size that it claims, and the format that it holds, if it does.

    Example:
        >>> with open(wav, "rb") as file:
        ...     _ = file.seek(12)
        ...     [name for name, *_ in chunks(file)]
        [b'fmt ', b'data']
    """
    while len(header := file.read(8)) == 8:
        name, size = struct.unpack("<4sI", header)
        if name == b"data":
            yield name, size, None
            return
        content = file.read(min(size, _SUBFORMAT + 2))
        is_format = name == b"fmt " and len(content) >= _FORMAT_SIZE
        yield name, size, _parse(content) if is_format else None
        # Chunks begin at even positions; the byte that pads an odd one is not in its size.
        rest = size + size % 2 - len(content)
        while rest and (skipped := file.read(min(rest, _BLOCK))):
            rest -= len(skipped)


def is_length(claimed: int) -> bool:
    """Tell whether the size of the sound in a header is one, and not left out.

    Example:
        >>> is_length(44_100), is_length(0), is_length(0xFFFFFFFF)
        (True, False, False)
    """
    return 0 < claimed < UNKNOWN_LENGTH


def is_chunk(beginning: bytes, rest: float) -> bool:
    """Tell whether another chunk follows an empty one, and not sound whose length was left out.

    Args:
        beginning: the eight bytes that follow.
        rest: bytes up to the end of the file; infinite where that is not known.

    Example:
        >>> is_chunk(b"LIST" + bytes([26, 0, 0, 0]), rest=34)
        True
    """
    size = int.from_bytes(beginning[4:8], "little")
    return bool(_NAME.match(beginning)) and CHUNK_HEADER + size <= rest


def missing_lengths(file: BinaryIO | View, size: int) -> dict[int, bytes]:
    """Find what a header of WAV or RF64 would say had its writer come to an end.

    Args:
        file: of `size` bytes; its position moves.
        size: in bytes.

    Returns:
        Bytes by their offset in the file; none where the header has its lengths.

    Example:
        >>> with open(wav, "rb") as file:
        ...     missing_lengths(file, 1000)
        {}
    """
    file.seek(0)
    kind = file.read(12)[:4]
    extended = None
    for chunk, claimed, _ in chunks(file):
        at = file.tell()
        if chunk == b"ds64":
            extended = at - min(claimed, _SUBFORMAT + 2)
        if chunk != b"data" or at >= size:
            continue
        if kind == b"RIFF" and claimed == 0 and not is_chunk(file.read(8), size - at):
            return {at - 4: struct.pack("<I", min(size - at, 0xFFFFFFFF))}
        if kind in (b"RF64", b"BW64") and extended is not None:
            file.seek(extended + _DATA_SIZE)
            if file.read(8) == bytes(8):
                return {extended + _DATA_SIZE: struct.pack("<Q", size - at)}
    return {}


def _parse(content: bytes) -> WavFormat:
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", content)
    if tag == _EXTENSIBLE and len(content) >= _SUBFORMAT + 2:
        (tag,) = struct.unpack_from("<H", content, _SUBFORMAT)
    return WavFormat(tag, channels, rate, -(-bits // 8) * 8)
