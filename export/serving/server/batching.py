"""Batches: requests that arrive while a model is busy are run together."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ser_keras.export.serving.server.signature import Signature
from ser_keras.export.serving.tf_serving.json_tensors import Tensors
from ser_keras.export.serving.tf_serving.status import ServingError

MOST_WAITING = 1024  # requests; more are refused


@dataclass
class _Waiting:
    tensors: Tensors
    seconds: float  # of its longest instance
    rows: int  # instances
    key: tuple[Any, ...]  # equal for requests that can be stacked
    latest: float  # by the loop's clock, when it starts however small its batch is
    future: asyncio.Future[Tensors] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Batcher:
    """Runs a signature in threads, on as many waiting instances at once as fit.

    While nothing runs, a request starts at once. While something does, a second thread would take
    its core from the first: requests gather until they fill a batch, until nothing runs, or until
    the oldest has waited long enough. An instance in a full batch costs a fraction of one alone.

    Args:
        signature: what to run; of one that is not batchable each request is run alone.
        executor: the threads.
        threads: number of batches that run at once.
        fits: whether so many instances, the longest of so many seconds, may be run together.
        largest: instances of a batch, unless one request has more.
        patience: seconds that a request waits for a batch to fill while another runs.

    Example:
        >>> batcher = Batcher(signature=None, executor=None, threads=2)  # of a LoadedModel
    """

    def __init__(
        self,
        signature: Signature,
        executor: Executor,
        threads: int,
        fits: Callable[[int, float], bool] = lambda count, longest: True,
        largest: int = 32,
        patience: float = 0.03,
    ) -> None:
        self._signature = signature
        self._executor = executor
        self._threads = threads
        self._fits = fits
        self._largest = largest
        self._patience = patience
        self._waiting: deque[_Waiting] = deque()
        self._running = 0
        self._alarm: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, tensors: Tensors, seconds: float = 0.0) -> Tensors:
        """Run a request, alone or with others; its outputs are as if it had run alone.

        Args:
            tensors: the inputs by name.
            seconds: length of the longest instance; 0 where they are no sound.
        """
        if len(self._waiting) >= MOST_WAITING:
            raise ServingError("RESOURCE_EXHAUSTED", "too many requests wait; try again later")
        latest = asyncio.get_running_loop().time() + self._patience
        waiting = _Waiting(tensors, seconds, *self._size(tensors), latest)
        self._waiting.append(waiting)
        self._start()
        return await waiting.future

    def _size(self, tensors: Tensors) -> tuple[int, tuple[Any, ...]]:
        """Return the number of instances, and what requests of one batch have in common."""
        sizes = {value.shape[0] if value.ndim else -1 for value in tensors.values()}
        if not self._signature.batchable or len(sizes) != 1:
            return self._largest, (object(),)  # equal to no other: fills a batch by itself
        return sizes.pop(), tuple(value.shape[1:] for value in tensors.values())

    def _start(self) -> None:
        """Start batches that are due, and set the alarm for the next one."""
        loop = asyncio.get_running_loop()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        while self._waiting and self._running < self._threads:
            oldest = self._waiting[0].latest
            full = sum(waiting.rows for waiting in self._waiting) >= self._largest
            if self._running and not full and loop.time() < oldest:
                self._alarm = loop.call_at(oldest, self._start)
                return
            self._running += 1
            task = asyncio.ensure_future(self._run_batch(self._next_batch()))
            self._tasks.add(task)  # the loop itself keeps no reference
            task.add_done_callback(self._tasks.discard)

    def _next_batch(self) -> list[_Waiting]:
        """Take the oldest request and those that fit with it, in order of arrival."""
        batch = [self._waiting.popleft()]
        rows, longest, passed = batch[0].rows, batch[0].seconds, []
        while self._waiting and rows < self._largest:
            candidate = self._waiting.popleft()
            if candidate.future.done():  # its client has left
                continue
            together, padded = rows + candidate.rows, max(longest, candidate.seconds)
            if (
                candidate.key == batch[0].key
                and together <= self._largest
                and self._fits(together, padded)
            ):
                batch.append(candidate)
                rows, longest = together, padded
            else:
                passed.append(candidate)
        self._waiting.extendleft(reversed(passed))
        return batch

    async def _run_batch(self, batch: list[_Waiting]) -> None:
        loop = asyncio.get_running_loop()
        try:
            results = await loop.run_in_executor(self._executor, self._run_in_thread, batch)
        except Exception as error:  # noqa: BLE001  # is raised where the requests wait
            results = [error] * len(batch)
        finally:
            self._running -= 1
            self._start()
        for waiting, result in zip(batch, results, strict=True):
            if waiting.future.done():
                continue
            if isinstance(result, Exception):
                waiting.future.set_exception(result)
            else:
                waiting.future.set_result(result)

    def _run_in_thread(self, batch: list[_Waiting]) -> list[Tensors | Exception]:
        """Return the outputs, or the error, of each request of a batch."""
        tensors = batch[0].tensors
        if len(batch) > 1:
            parts = {name: [one.tensors[name] for one in batch] for name in tensors}
            tensors = {name: np.concatenate(part) for name, part in parts.items()}
        try:
            outputs = self._signature.run(tensors)
        except ServingError as error:
            if len(batch) == 1:
                return [error]
            # One bad recording fails the whole batch: find it by halves.
            half = len(batch) // 2
            return self._run_in_thread(batch[:half]) + self._run_in_thread(batch[half:])
        if len(batch) == 1:
            return [outputs]
        ends = itertools.accumulate(one.rows for one in batch)
        return [
            self._signature.rows(outputs, end - one.rows, end)
            for one, end in zip(batch, ends, strict=True)
        ]
