"""How long the sound in a request is, from its header alone, before anything is decoded."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from ser_keras.export.serving.status import invalid


def seconds(contents: bytes) -> float:
    """The length of a WAV file; 0 of anything that is none, which the model refuses by itself.

    Args:
        contents: the file, perhaps truncated: what is there counts, not what the header claims.
    """
    if contents[:4] != b"RIFF" or contents[8:12] != b"WAVE":
        return 0.0
    at, frame, rate = 12, 0, 0
    while at + 8 <= len(contents):
        name, size = struct.unpack_from("<4sI", contents, at)
        start = at + 8
        size = min(size, len(contents) - start)
        if name == b"fmt " and size >= 16:
            channels, rate = struct.unpack_from("<HI", contents, start + 2)
            (bits,) = struct.unpack_from("<H", contents, start + 14)
            frame = channels * bits // 8
        elif name == b"data":
            return size / (frame * rate) if frame and rate else 0.0
        at = start + size + size % 2
    return 0.0


def check(files: Iterable[object], longest: float) -> None:
    """Refuse sound that is too long.

    Args:
        files: strings of a request.
        longest: in seconds.

    Raises:
        ServingError: INVALID_ARGUMENT.
    """
    for number, contents in enumerate(files):
        if isinstance(contents, bytes) and (length := seconds(contents)) > longest:
            raise invalid(
                f"audio: instance {number} lasts {length:.0f} s, expected at most {longest:g} s"
            )
