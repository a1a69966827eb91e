"""Headers of WAV files, read from front to back, as a pipe allows.

The format: Multimedia Programming Interface and Data Specifications 1.0 (IBM and Microsoft, 1991),
with WAVE_FORMAT_EXTENSIBLE of Multiple Channel Audio Data and WAVE Files (Microsoft, 2001).
Python's own `wave` reads integers only, and the extensible form only from Python 3.12 on.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from ser_keras.errors import AudioError

INTEGER, FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE  # format tags
_FORMAT_SIZE = 16  # bytes of plain PCM's format
_SUBFORMAT = 24  # where an extensible format has its true tag
_BLOCK = 1 << 16


class WavFormat(NamedTuple):
    """The kind of samples in a WAV file.

    Example:
        >>> WavFormat(tag=1, channels=2, sample_rate=22050, bits=16).frame_bytes
        4
    """

    tag: int  # INTEGER, FLOAT, or another that this package cannot decode
    channels: int
    sample_rate: int  # hertz
    bits: int  # of a sample, rounded up to whole bytes

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return self.channels * self.bits // 8


def read(pipe: BinaryIO, name: str) -> tuple[WavFormat, int]:
    """Read a WAV file as far as its first sample.

    Args:
        pipe: positioned behind the file's first four bytes, "RIFF".
        name: the recording's name in an AudioError.

    Returns:
        The format, and the bytes of sound that the header claims, which may be a guess.

    Example:
        >>> with open(wav, "rb") as file:
        ...     _ = file.read(4)
        ...     read(file, wav)[0]
        WavFormat(tag=1, channels=1, sample_rate=22050, bits=16)
    """
    kind = pipe.read(8)[4:]
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


def chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, WavFormat | None]]:
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


def _parse(content: bytes) -> WavFormat:
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", content)
    if tag == _EXTENSIBLE and len(content) >= _SUBFORMAT + 2:
        (tag,) = struct.unpack_from("<H", content, _SUBFORMAT)
    return WavFormat(tag, channels, rate, -(-bits // 8) * 8)
