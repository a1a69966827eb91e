"""Ctrl-C that waits until the code of libraries is left.

Python raises KeyboardInterrupt wherever the main thread happens to be. Inside TensorFlow, the
garbage collector and libsndfile's callbacks it is at times swallowed, and the work goes on; at
times another error takes its place; and at times it ends the process by a failed check in C++.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

STANDARD_ERROR = 2


class Deferred:
    """Whether Ctrl-C was pressed and has not been answered yet."""

    def __init__(self) -> None:
        self.pressed = False

    def check(self) -> None:
        """Answer it, where it can do no harm.

        Raises:
            KeyboardInterrupt: it was pressed.
        """
        if self.pressed:
            self.pressed = False
            raise KeyboardInterrupt


_outermost: Deferred | None = None


@contextlib.contextmanager
def deferred(message: str = "") -> Iterator[Deferred]:
    """Remember Ctrl-C, and raise it at the next `check` or on leaving; a second one raises at once.

    A block inside another is part of it. Whoever has a handler of his own keeps it, and outside the
    main thread, which alone is interrupted, nothing changes.

    Args:
        message: told on standard error when Ctrl-C is pressed.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed inside, whatever else has gone wrong since.
    """
    global _outermost
    if threading.current_thread() is not threading.main_thread():
        yield Deferred()
        return
    if _outermost is not None:
        yield _outermost
        return
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield Deferred()
        return
    interruption = Deferred()

    def remember(number: int, frame: FrameType | None) -> None:
        if interruption.pressed:
            signal.default_int_handler(number, frame)
        interruption.pressed = True
        if message:
            # Not by print, in the middle of which this may be; it must not fail where it is either.
            with contextlib.suppress(OSError):
                os.write(STANDARD_ERROR, f"{message}\n".encode())

    _outermost = interruption
    signal.signal(signal.SIGINT, remember)
    try:
        yield interruption
    except Exception as error:
        # Such as one that has taken the place of a second Ctrl-C's.
        if interruption.pressed:
            raise KeyboardInterrupt from error
        raise
    finally:
        _outermost = None
        signal.signal(signal.SIGINT, signal.default_int_handler)
    interruption.check()
