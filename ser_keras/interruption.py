"""Ctrl-C that waits until control has returned from libraries.

Python raises KeyboardInterrupt wherever the main thread happens to be. Inside TensorFlow, the
garbage collector and libsndfile's callbacks it is sometimes swallowed, and the work goes on;
sometimes another error takes its place; sometimes a failed check in C++ ends the process.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import TypeVar, cast

Item = TypeVar("Item")

_STANDARD_ERROR = 2
_END = object()


class Deferred:
    """Whether Ctrl-C was pressed and has not been answered yet.

    Example:
        >>> Deferred().pressed
        False
    """

    def __init__(self) -> None:
        self.pressed = False

    def check(self) -> None:
        """Raise KeyboardInterrupt, where it can do no harm, if Ctrl-C was pressed."""
        if self.pressed:
            self.pressed = False
            raise KeyboardInterrupt


_outermost: Deferred | None = None


@contextlib.contextmanager
def deferred(message: str = "") -> Iterator[Deferred]:
    """Remember Ctrl-C, and raise it at the next `check` or on leaving; a second one raises at once.

    It is raised whatever else has gone wrong since. A block inside another shares its state. A
    caller's own signal handler stays in place, and nothing changes outside the main thread, the
    only one that Python interrupts.

    Args:
        message: written to standard error when Ctrl-C is pressed.

    Example:
        >>> with deferred("Stopping after this batch.") as interruption:
        ...     for batch in range(2):
        ...         interruption.check()
    """
    global _outermost
    in_main_thread = threading.current_thread() is threading.main_thread()
    if in_main_thread and _outermost is not None:
        yield _outermost
        return
    if not in_main_thread or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield Deferred()
        return
    interruption = Deferred()

    def remember(number: int, frame: FrameType | None) -> None:
        if interruption.pressed:
            signal.default_int_handler(number, frame)
        interruption.pressed = True
        if message:
            # print may be what was interrupted, and cannot be entered twice. A closed standard
            # error must not raise here either.
            with contextlib.suppress(OSError):
                os.write(_STANDARD_ERROR, f"{message}\n".encode())

    _outermost = interruption
    signal.signal(signal.SIGINT, remember)
    try:
        yield interruption
    except Exception as error:
        # An error that may have taken the place of the second Ctrl-C's KeyboardInterrupt.
        if interruption.pressed:
            raise KeyboardInterrupt from error
        raise
    finally:
        _outermost = None
        signal.signal(signal.SIGINT, signal.default_int_handler)
    interruption.check()


def undisturbed(items: Iterable[Item]) -> Iterator[Item]:
    """Yield items, each of which is made to its end before Ctrl-C is raised.

    Example:
        >>> list(undisturbed([1, 2]))
        [1, 2]
    """
    iterator = iter(items)
    while True:
        with deferred():
            item = next(iterator, _END)
        if item is _END:
            return
        yield cast(Item, item)
