"""Frames of MPEG audio (MP3), as far as they tell what a file is, how long, and where it is joined.

The header of a frame: ISO/IEC 11172-3, 2.4.1.3, with the lower rates of 13818-3 and 2.5. The index
that encoders put into a first frame that is silent: Xing's, which LAME and FFmpeg write too.
"""

from __future__ import annotations

from typing import BinaryIO, NamedTuple

from ser_keras.sound.views import View

# kbit/s by the header's four bits, for layers 1, 2 and 3.
_BITRATES_1 = (
    (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
)
_LOWER = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_BITRATES_2 = ((0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256), _LOWER, _LOWER)
_RATES = (44_100, 48_000, 32_000)

_ID3_HEADER = 10
_ID3V1 = 128  # bytes, from "TAG" on, behind the sound
_HAS_FRAMES, _HAS_BYTES = 1, 2  # flags of the index
_MOST_JOINED = 10_000


class Frame(NamedTuple):
    """A frame's header.

    Example:
        >>> parse(bytes([0xFF, 0xFB, 0x90, 0xC0])).length
        417
    """

    length: int  # bytes, the header's included
    kind: tuple[int, int, int]  # version, layer and rate, which no frame of a file changes
    index_at: int  # offset of the index in a frame that has one


class Index(NamedTuple):
    """An encoder's account of its file: frames and bytes, 0 where it says nothing.

    Example:
        >>> Index(frames=169, size=35_757).frames
        169
    """

    frames: int
    size: int


def parse(header: bytes) -> Frame | None:
    """Read the four bytes of a frame's header; None where they are none.

    Example:
        >>> parse(b"RIFF") is None
        True
    """
    bits = int.from_bytes(header[:4], "big")
    version, layer = bits >> 19 & 3, 4 - (bits >> 17 & 3)
    bitrate, rate = bits >> 12 & 15, bits >> 10 & 3
    reserved = version == 1 or layer == 4 or bitrate in (0, 15) or rate == 3
    if len(header) < 4 or bits >> 21 != 0x7FF or reserved:
        return None
    first = version == 3  # MPEG-1; 2 is MPEG-2, and 0 is 2.5, which halve the rates
    hertz = _RATES[rate] // {3: 1, 2: 2, 0: 4}[version]
    kilobits = (_BITRATES_1 if first else _BITRATES_2)[layer - 1][bitrate]
    padding = bits >> 9 & 1
    if layer == 1:
        length = (12_000 * kilobits // hertz + padding) * 4
    else:
        length = (72_000 if layer == 3 and not first else 144_000) * kilobits // hertz + padding
    mono = bits >> 6 & 3 == 3
    index = 4 + {(True, False): 32, (False, True): 9}.get((first, mono), 17)
    return Frame(length, (version, layer, rate), index)


def begins(beginning: bytes) -> bool:
    """Tell whether bytes begin with two frames of one kind, or the only one that they hold.

    Two bytes of a header are common in samples, two headers at the right distance are not.

    Example:
        >>> begins(b"fLaC")
        False
    """
    first = parse(beginning)
    if first is None:
        return False
    second = beginning[first.length : first.length + 4]
    found = parse(second)
    return found.kind == first.kind if found else not second and len(beginning) >= first.length


def has_frames(content: bytes) -> bool:
    """Tell whether there are two frames anywhere in bytes.

    Example:
        >>> has_frames(bytes(1000))
        False
    """
    at = content.find(b"\xff")
    while at >= 0 and not begins(content[at : at + 4096]):
        at = content.find(b"\xff", at + 1)
    return at >= 0


def read_index(file: BinaryIO | View, at: int) -> Index | None:
    """Read the index of the sound at an offset of a file; None where it has none.

    Example:
        >>> with open(wav, "rb") as file:
        ...     read_index(file, 0) is None
        True
    """
    file.seek(_behind_id3(file, at))
    content = file.read(64)
    frame = parse(content)
    if frame is None or content[frame.index_at : frame.index_at + 4] not in (b"Xing", b"Info"):
        return None
    words = content[frame.index_at + 4 : frame.index_at + 16]
    flags, first, second = (int.from_bytes(words[at : at + 4], "big") for at in (0, 4, 8))
    frames = first if flags & _HAS_FRAMES else 0
    return Index(frames, (second if frames else first) if flags & _HAS_BYTES else 0)


def joints(file: BinaryIO | View, size: int) -> list[int]:
    """Find the offsets at which files that were joined begin; the first is 0.

    The index of one tells how long it is; decoders end there, whatever follows.

    Example:
        >>> with open(wav, "rb") as file:
        ...     joints(file, 1000)
        [0]
    """
    found = [0]
    while len(found) < _MOST_JOINED and (index := read_index(file, found[-1])) and index.size:
        at = _behind_id3(file, found[-1]) + index.size
        file.seek(at)
        if file.read(3) == b"TAG":
            at += _ID3V1
        file.seek(at)
        beginning = file.read(4096)
        if at >= size or not (beginning[:3] == b"ID3" or begins(beginning)):
            break
        found.append(at)
    return found


def _behind_id3(file: BinaryIO | View, at: int) -> int:
    """Return the offset behind the ID3 tags that begin at one."""
    while True:
        file.seek(at)
        header = file.read(_ID3_HEADER)
        if len(header) < _ID3_HEADER or header[:3] != b"ID3":
            return at
        size = 0
        for byte in header[6:]:
            size = size << 7 | byte & 0x7F
        at += _ID3_HEADER + size
