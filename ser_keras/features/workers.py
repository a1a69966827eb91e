"""Extraction in worker processes.

Every worker is an executor with a single process, because an executor breaks as a whole when one of
its processes dies: this way a recording that crashes or hangs its process costs that recording
alone. The executors are those of loky, which is part of joblib: its processes never import the
caller's script. Those of multiprocessing and what builds on it (concurrent.futures, pebble) do,
which forces every script to guard its main part.
"""

from __future__ import annotations

import concurrent.futures
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any

import numpy as np
from joblib.externals import loky  # joblib's documentation imports it so, too

from ser_keras.errors import AudioError
from ser_keras.features import reference
from ser_keras.features.augmentation import NONE, Augmentation
from ser_keras.features.segments import Extracted, Segment, extract_segment
from ser_keras.features.spec import FeatureSpec

# Libraries would otherwise start a thread per core in every worker and slow one another down.
ONE_THREAD_EACH = {
    f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA")
} | {"VECLIB_MAXIMUM_THREADS": "1"}

# Seconds for one recording: hours of sound take minutes, a hang of the decoder takes forever.
PATIENCE = 900.0

# Most segments sent to a process at once: handing one over takes as long as extracting a short one.
MOST_TOGETHER = 8


def extract_in_processes(
    segments: Sequence[Segment],
    spec: FeatureSpec,
    augmentation: Augmentation = NONE,
    workers: int = 2,
) -> Iterator[tuple[int, Extracted | AudioError]]:
    """Extract segments in worker processes; yields each one's index and outcome as they come.

    Raises:
        RuntimeError: a worker process does not start.

    Example:
        >>> segments = [Segment(corpus[0].path, end=1.0)]
        >>> dict(extract_in_processes(segments, ser.FeatureSpec(), workers=1))[0].duration
        1.0
    """
    team = [_Worker(spec, augmentation) for _ in range(workers)]
    idle: SimpleQueue[_Worker] = SimpleQueue()
    for worker in team:
        idle.put(worker)

    # A few turns for every worker, so that all end at about the same time.
    size = min(max(len(segments) // (4 * workers), 1), MOST_TOGETHER)

    def extract(start: int) -> list[tuple[int, Extracted | AudioError]]:
        worker = idle.get()  # never waits: there are as many threads as workers
        try:
            return list(enumerate(worker.extract(segments[start : start + size]), start))
        finally:
            idle.put(worker)

    threads = ThreadPoolExecutor(workers)
    futures = [threads.submit(extract, start) for start in range(0, len(segments), size)]
    try:
        for future in concurrent.futures.as_completed(futures):
            yield from future.result()
    finally:
        interrupted = not all(future.done() for future in futures)
        threads.shutdown(wait=False, cancel_futures=True)
        for worker in team:
            worker.stop(kill=interrupted)
        threads.shutdown()


class _Worker:
    """A process that extracts segments, and is replaced when it crashes or hangs."""

    def __init__(self, spec: FeatureSpec, augmentation: Augmentation) -> None:
        self._settings = spec, augmentation
        self._lock = threading.Lock()
        self._start()

    def _start(self) -> None:
        self._executor = loky.ProcessPoolExecutor(
            1, initializer=_prepare_process, initargs=(os.getpid(),), env=ONE_THREAD_EACH
        )
        spec, _ = self._settings
        # One window of silence: importing librosa takes seconds, which are no recording's.
        silence = np.zeros(spec.window_length, np.float32)
        self._started = self._submit(reference.extract, silence, spec)

    def extract(self, segments: Sequence[Segment]) -> list[Extracted | AudioError]:
        """Extract segments together; if the process dies, one by one, to find the one to blame."""
        try:
            self._started.result()
        except loky.BrokenProcessPool as error:
            raise RuntimeError("a worker process did not start") from error
        try:
            future = self._submit(_extract_together, segments, *self._settings)
            return future.result(PATIENCE)
        except concurrent.futures.TimeoutError:
            reason = f"the process that read it hung, ended after {PATIENCE:g} s"
        except loky.BrokenProcessPool:
            reason = "the process that read it crashed"
        self.stop(kill=True)
        self._start()
        if len(segments) == 1:
            return [AudioError(segments[0].path, reason)]
        return [outcome for segment in segments for outcome in self.extract([segment])]

    def stop(self, kill: bool) -> None:
        with self._lock:
            self._executor.shutdown(kill_workers=kill)

    def _submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        # An executor that is shut down before it has taken its last task fails in its own thread.
        with self._lock:
            future = self._executor.submit(function, *arguments)
            while not (future.running() or future.done()):
                time.sleep(0.001)
            return future


def _extract_together(
    segments: Sequence[Segment], spec: FeatureSpec, augmentation: Augmentation
) -> list[Extracted | AudioError]:
    return [extract_segment(segment, spec, augmentation) for segment in segments]


def _prepare_process(caller: int) -> None:
    threading.Thread(target=_end_with, args=(caller,), daemon=True).start()
    # The caller ends its workers itself; without this, each would print a traceback on Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What C libraries print must not end up in the caller's output, which may be piped on.
    os.dup2(2, 1)


def _end_with(caller: int) -> None:
    """End this process soon after its caller, which may be killed before it can end its workers."""
    while os.getppid() == caller:
        time.sleep(1.0)
    os._exit(1)
