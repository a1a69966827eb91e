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

INTEGER, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE  # format tags
SHORTEST_FORMAT, LONGEST_FORMAT = 16, 1 << 10  # bytes
_SUBFORMAT = 24  # where an extensible format has its true tag
_BLOCK = 1 << 16


class WavFormat(NamedTuple):
    """The kind of samples in a WAV file.

    Attributes:
        tag: `INTEGER`, `FLOAT`, or another that this package cannot decode.
        channels: number of channels.
        sample_rate: in hertz.
        bits: size of a sample, rounded up to whole bytes.

    Example:
        >>> from ser_keras.sound.wav_header import WavFormat
        >>> WavFormat(tag=1, channels=2, sample_rate=22050, bits=16).frame_bytes
        4
    """

    tag: int
    channels: int
    sample_rate: int
    bits: int

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return self.channels * self.bits // 8


def read(pipe: BinaryIO, name: str) -> tuple[WavFormat, int]:
    """Read a WAV file as far as its first sample.

    Args:
        pipe: positioned behind the file's first four bytes, "RIFF".
        name: the recording's name in errors.

    Returns:
        The format, and the bytes of sound that the header claims, which may be a guess.

    Raises:
        AudioError: it is not a WAV file, or ends within its header.

    Example:
        >>> from ser_keras.sound import wav_header
        >>> with open(wav, "rb") as file:
        ...     _ = file.read(4)
        ...     wav_header.read(file, wav)[0]
        WavFormat(tag=1, channels=1, sample_rate=22050, bits=16)
    """
    kind = pipe.read(8)[4:]
    if len(kind) == 4 and kind != b"WAVE":
        raise AudioError(name, f"expected a WAV file, found RIFF of another kind, {kind!r}")
    form: WavFormat | None = None
    for chunk, size, content in chunks(pipe):
        if chunk == b"data":
            if form is None:
                raise AudioError(name, "expected a WAV file, found no format before the sound")
            return form, size
        if chunk == b"fmt ":
            if not SHORTEST_FORMAT <= size <= LONGEST_FORMAT:
                raise AudioError(name, f"expected a WAV file, found a format of {size} bytes")
            if len(content) < size:
                break
            form = parse_format(content)
    raise AudioError(name, "expected a WAV file, found one that ends within its header")


def chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, bytes]]:
    """Walk over the chunks of a RIFF file up to its sound, or its end if that comes first.

    Args:
        file: positioned behind "RIFF", the size and "WAVE"; read from front to back only. After
            the chunk "data" it is positioned at the first sample.

    Yields:
        A chunk's name, the size that it claims, and its content: at most `LONGEST_FORMAT` bytes,
        and none of the samples.

    Example:
        >>> from ser_keras.sound import wav_header
        >>> with open(wav, "rb") as file:
        ...     _ = file.seek(12)
        ...     [name for name, *_ in wav_header.chunks(file)]
        [b'fmt ', b'data']
    """
    while len(header := file.read(8)) == 8:
        name, size = struct.unpack("<4sI", header)
        if name == b"data":
            yield name, size, b""
            return
        content = file.read(min(size, LONGEST_FORMAT))
        yield name, size, content
        # Chunks begin at even positions; the byte that pads an odd one is not in its size.
        rest = size + size % 2 - len(content)
        while rest and (skipped := file.read(min(rest, _BLOCK))):
            rest -= len(skipped)


def parse_format(content: bytes) -> WavFormat:
    """Parse the content of the chunk "fmt ", `SHORTEST_FORMAT` bytes or more.

    Example:
        >>> from ser_keras.sound.wav_header import parse_format
        >>> parse_format(bytes.fromhex("0300 0100 803e0000 00fa0000 0400 2000"))
        WavFormat(tag=3, channels=1, sample_rate=16000, bits=32)
    """
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", content)
    if tag == EXTENSIBLE and len(content) >= _SUBFORMAT + 2:
        (tag,) = struct.unpack_from("<H", content, _SUBFORMAT)
    return WavFormat(tag, channels, rate, -(-bits // 8) * 8)
