"""One budget of memory for all requests together: what is beyond it is refused, not tried."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ser_keras.export.serving.tf_serving.status import ServingError

# A body is held as chunks, as bytes, as JSON values, as bytes of sound and as a tensor, and what is
# freed is not all given back: measured, 32 clients with 59 MiB each took seven times theirs.
COPIES = 8


class MemoryBudget:
    """Bytes that requests may take together.

    Args:
        most_bytes: of all requests; each counts `COPIES` times what has come of its body.

    Example:
        >>> budget = MemoryBudget(8000)
        >>> with budget.share() as share:
        ...     share.add(1000)
        ...     budget.free
        0
        >>> budget.free
        8000
    """

    def __init__(self, most_bytes: int) -> None:
        self.free = most_bytes

    @contextlib.contextmanager
    def share(self) -> Iterator[Share]:
        """Provide the share of one request, and take it back when the request is answered."""
        share = Share(self)
        try:
            yield share
        finally:
            share.release()


class Share:
    """One request's part of a budget.

    Example:
        >>> share = Share(MemoryBudget(8000))
        >>> share.add(1001)
        Traceback (most recent call last):
        ser_keras.export.serving.tf_serving.status.ServingError: RESOURCE_EXHAUSTED: the requests...
    """

    def __init__(self, budget: MemoryBudget) -> None:
        self._budget = budget
        self._taken = 0

    def add(self, size: int) -> None:
        """Take memory for so many bytes of a body.

        Raises:
            ServingError: other requests have it.
        """
        size *= COPIES
        if size > self._budget.free:
            message = "the requests that are being answered take all memory; try again later"
            raise ServingError("RESOURCE_EXHAUSTED", message)
        self._budget.free -= size
        self._taken += size

    def release(self) -> None:
        """Give everything back."""
        self._budget.free += self._taken
        self._taken = 0
