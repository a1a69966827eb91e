"""How long the sound in a request is, from its header alone, before anything is decoded."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from ser_keras.export.serving.status import invalid

# Instances are answered padded to the longest of them, and a second of an instance takes up to half
# a megabyte (the convolutional preset): together, with their padding, they may last this long. A
# body of 64 MiB holds less sound of 8 kHz, so that only padding comes to more.
MOST_PADDED_SECONDS = 3600.0
# What an instance counts at least: the shortest sound is padded to a window.
LEAST_SECONDS = 1.0


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


def check(files: Iterable[object], longest: float) -> float:
    """Refuse sound that is too long.

    Args:
        files: strings of a request, an instance each.
        longest: in seconds.

    Returns:
        Seconds of the longest; 0 where none of them is sound.

    Raises:
        ServingError: INVALID_ARGUMENT, one of them is too long, or all are with their padding.
    """
    count, most = 0, 0.0
    for number, contents in enumerate(files):
        count += 1
        length = seconds(contents) if isinstance(contents, bytes) else 0.0
        if length > longest:
            raise invalid(
                f"audio: instance {number} lasts {length:.0f} s, expected at most {longest:g} s"
            )
        most = max(most, length)
    if not fits(count, most):
        raise invalid(
            f"audio: {count} instances, each padded to {max(most, LEAST_SECONDS):.1f} s, expected "
            f"at most {MOST_PADDED_SECONDS:g} s together; send fewer at once"
        )
    return most


def fits(count: int, longest: float) -> bool:
    """Whether instances may be answered together; one alone always may.

    Args:
        count: of the instances.
        longest: seconds that the longest of them lasts; 0 where none is sound.
    """
    padded = count * max(longest, LEAST_SECONDS)
    return count <= 1 or longest == 0.0 or padded <= MOST_PADDED_SECONDS
