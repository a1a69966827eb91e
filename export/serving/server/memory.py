"""The C allocator's settings: memory is kept between requests."""

from __future__ import annotations

import contextlib
import ctypes

# mallopt(3) of glibc.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_MEBIBYTE = 2**20


def keep() -> None:
    """Tell the allocator to keep what is freed, up to half a gigabyte.

    A recording is half a megabyte, several times over: as text, as bytes, as a tensor. By default
    each of these is mapped from the system and returned to it, page by page, which costs about as
    much as reading the request. Has no effect where there is no glibc.

    Example:
        >>> from ser_keras.export.serving.server import memory
        >>> memory.keep()  # before models are loaded
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, 32 * _MEBIBYTE)  # the most that glibc takes
        mallopt(_TRIM_THRESHOLD, 512 * _MEBIBYTE)
        mallopt(_TOP_PAD, 16 * _MEBIBYTE)
