"""Standard output for results alone, in UTF-8."""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import sys
from collections.abc import Iterator

_OUTPUT, _ERRORS = 1, 2  # file descriptors


@contextlib.contextmanager
def results_only() -> Iterator[None]:
    """Send what libraries print from C to standard error; `sys.stdout` stays where it is.

    Decoders print what they think of a file, in the middle of lines of JSON. The results are in
    UTF-8 whatever the locale, as JSON requires, unless they go to a terminal.

    Example:
        >>> with results_only():
        ...     print("a result")
        a result
    """
    try:
        sys.stdout.flush()
        kept = os.dup(_OUTPUT)
    except (AttributeError, OSError):  # there is no standard output
        yield
        return
    previous = sys.stdout
    if _descriptor(previous) == _OUTPUT:
        sys.stdout = _text(kept)
    os.dup2(_ERRORS, _OUTPUT)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        with contextlib.suppress(OSError, AttributeError, TypeError):
            ctypes.CDLL(None).fflush(None)  # C has a buffer of its own
        sys.stdout = previous
        os.dup2(kept, _OUTPUT)
        os.close(kept)


def _descriptor(file: object) -> int | None:
    try:
        return file.fileno()  # type: ignore[attr-defined]
    except (AttributeError, OSError):  # a stand-in, such as a test's
        return None


def _text(descriptor: int) -> io.TextIOWrapper:
    if os.isatty(descriptor):
        encoding, errors = sys.stdout.encoding, "backslashreplace"
    else:
        encoding, errors = "utf-8", "surrogateescape"  # names that are no text stay as they are
    return open(  # closed by `results_only`
        descriptor, "w", 1, encoding=encoding, errors=errors, closefd=False
    )
