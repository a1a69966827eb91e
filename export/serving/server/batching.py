"""Requests that arrive while the model is busy are answered together."""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

from ser_keras.export.serving.server import sound_limits
from ser_keras.export.serving.server.loaded_model import Signature, stack
from ser_keras.export.serving.tf_serving.json_tensors import Tensors
from ser_keras.export.serving.tf_serving.status import ServingError


@dataclass
class _Waiting:
    tensors: Tensors
    seconds: float  # of its longest instance
    rows: int
    key: tuple[Any, ...]
    latest: float  # by the loop's clock, when it starts with whatever company it has
    future: asyncio.Future[Tensors] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Batcher:
    """Runs a signature in threads, on as many waiting instances at once as fit.

    While nothing runs, a request starts at once. While something does, a second thread would take
    its core from the first: requests gather until they fill a batch, until nothing runs, or until
    the oldest has waited long enough. An instance in a full batch costs a fraction of one alone.

    Args:
        signature: what to run; each of its batches if it is batchable, else each request alone.
        executor: its threads.
        threads: how many batches run at once.
        largest: instances of a batch, unless one request has more.
        longest_queue: requests that may wait; more are refused.
        patience: how long a request waits for a batch to fill while another runs, in seconds.
    """

    def __init__(
        self,
        signature: Signature,
        executor: Executor,
        threads: int,
        largest: int = 32,
        longest_queue: int = 1024,
        patience: float = 0.03,
    ) -> None:
        self._signature = signature
        self._executor = executor
        self._threads = threads
        self._largest = largest
        self._longest_queue = longest_queue
        self._patience = patience
        self._waiting: deque[_Waiting] = deque()
        self._running = 0
        self._alarm: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, tensors: Tensors, seconds: float = 0.0) -> Tensors:
        """Answer a request.

        Args:
            tensors: the inputs by name.
            seconds: that the longest of its instances lasts; 0 where they are no sound.

        Raises:
            ServingError: what the model said of its input; RESOURCE_EXHAUSTED, too many wait.
        """
        if len(self._waiting) >= self._longest_queue:
            raise ServingError("RESOURCE_EXHAUSTED", "too many requests wait; try again later")
        latest = asyncio.get_running_loop().time() + self._patience
        waiting = _Waiting(tensors, seconds, *self._size(tensors), latest)
        self._waiting.append(waiting)
        self._start()
        return await waiting.future

    def _size(self, tensors: Tensors) -> tuple[int, tuple[Any, ...]]:
        """Instances of a request, and what it must share with others in its batch."""
        sizes = {value.shape[0] if value.ndim else -1 for value in tensors.values()}
        if not self._signature.batchable or len(sizes) != 1:
            return self._largest, (object(),)
        return sizes.pop(), tuple(value.shape[1:] for value in tensors.values())

    def _start(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        while self._waiting and self._running < self._threads:
            if not self._ripe():
                self._alarm = asyncio.get_running_loop().call_at(
                    self._waiting[0].latest, self._start
                )
                return
            batch = self._next()
            self._running += 1
            task = asyncio.ensure_future(self._answer(batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _ripe(self) -> bool:
        """Whether the requests that wait should wait no longer."""
        return (
            self._running == 0
            or sum(waiting.rows for waiting in self._waiting) >= self._largest
            or asyncio.get_running_loop().time() >= self._waiting[0].latest
        )

    def _next(self) -> list[_Waiting]:
        """The oldest request and those that fit with it, in order of arrival."""
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
                and sound_limits.fits(together, padded)
            ):
                batch.append(candidate)
                rows, longest = together, padded
            else:
                passed.append(candidate)
        self._waiting.extendleft(reversed(passed))
        return batch

    async def _answer(self, batch: list[_Waiting]) -> None:
        loop = asyncio.get_running_loop()
        try:
            answers = await loop.run_in_executor(self._executor, self._run, batch)
        except Exception as error:  # noqa: BLE001  # whoever asked must hear of it
            answers = [error] * len(batch)
        finally:
            self._running -= 1
            self._start()
        for waiting, answer in zip(batch, answers, strict=True):
            if waiting.future.done():
                continue
            if isinstance(answer, Exception):
                waiting.future.set_exception(answer)
            else:
                waiting.future.set_result(answer)

    def _run(self, batch: list[_Waiting]) -> list[Tensors | Exception]:
        """In a thread: the answer, or the error, of each request of a batch."""
        if len(batch) == 1:
            try:
                return [self._signature.run(batch[0].tensors)]
            except ServingError as error:
                return [error]
        tensors = {
            name: stack([waiting.tensors[name] for waiting in batch]) for name in batch[0].tensors
        }
        try:
            outputs = self._signature.run(tensors)
        except ServingError:
            # One bad recording fails the whole batch: find it by halves.
            half = len(batch) // 2
            return self._run(batch[:half]) + self._run(batch[half:])
        answers: list[Tensors | Exception] = []
        first = 0
        for waiting in batch:
            answers.append(self._signature.rows(outputs, first, first + waiting.rows))
            first += waiting.rows
        return answers
