"""From recordings to observations, here or in worker processes.

A worker is a fresh Python that is told of one recording after another through its standard input.
It never imports the caller's script (as multiprocessing's spawn does, which forces every script to
guard its main part), nor TensorFlow; and one that crashes or hangs on a recording costs that
recording alone.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any, cast

import numpy as np

from ser_keras.errors import AudioError
from ser_keras.features import reference
from ser_keras.features.augmentation import NONE, Augmentation, vary
from ser_keras.features.spec import FeatureSpec
from ser_keras.interruption import deferred
from ser_keras.sound import decoding

# Libraries would otherwise start a thread per core in every worker and slow one another down.
ONE_THREAD_EACH = {
    f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA")
} | {"VECLIB_MAXIMUM_THREADS": "1"}

# Seconds for one recording: hours of sound take minutes, a hang of the decoder takes forever.
PATIENCE = 900.0

BOOTSTRAP = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from ser_keras.features.workers import serve; serve()"
)


@dataclass(frozen=True)
class Segment:
    """A stretch of a sound file, in seconds; None is the file's beginning or end.

    `copy` is the number of the varied copy that is wanted; 0 is the sound as it is.
    """

    path: Path
    start: float | None = None
    end: float | None = None
    copy: int = 0


@dataclass(frozen=True)
class Task:
    """What is made of every part."""

    spec: FeatureSpec
    augmentation: Augmentation = NONE

    def to_dict(self) -> dict[str, object]:
        """All options in types that JSON has."""
        return {"spec": self.spec.to_dict(), "augmentation": self.augmentation.to_dict()}

    @classmethod
    def from_dict(cls, options: dict[str, Any]) -> Task:
        """The inverse of `to_dict`."""
        return cls(FeatureSpec.from_dict(options["spec"]), Augmentation(**options["augmentation"]))


@dataclass(frozen=True)
class Extracted:
    """What became of a part: observations, float32 [T, ...], and how long it lasts in seconds."""

    observations: np.ndarray
    duration: float


def extract_segment(part: Segment, task: Task) -> Extracted:
    """Extract one part's observations with librosa.

    Raises:
        AudioError: the part cannot be used.
    """
    rate = task.spec.sample_rate
    samples = decoding.load(part.path, rate, part.start, part.end)
    samples = vary(samples, rate, task.augmentation, part.copy)
    return Extracted(reference.extract(samples, task.spec), len(samples) / rate)


def extract_here(
    parts: Sequence[Segment], task: Task
) -> Iterator[tuple[int, Extracted | AudioError]]:
    """Extract parts one by one in this process; yields each part's index with its outcome."""
    for index, part in enumerate(parts):
        outcome: Extracted | AudioError
        try:
            with deferred():
                outcome = extract_segment(part, task)
        except AudioError as error:
            outcome = error
        yield index, outcome


def extract_in_processes(
    parts: Sequence[Segment], task: Task, workers: int
) -> Iterator[tuple[int, Extracted | AudioError]]:
    """Extract parts in worker processes; yields each part's index with its outcome as they come.

    Raises:
        RuntimeError: a worker process does not start.
    """
    team = [Worker(task) for _ in range(workers)]
    numbered = enumerate(parts)
    outcomes: SimpleQueue[tuple[int, Extracted | AudioError] | Exception] = SimpleQueue()

    def work(worker: Worker) -> None:
        current = next(numbered, None)
        while current:
            upcoming = next(numbered, None)
            index, part = current
            try:
                outcomes.put(
                    (index, worker.extract_segment(part, upcoming[1] if upcoming else None))
                )
            except AudioError as error:
                outcomes.put((index, error))
            except Exception as error:  # noqa: BLE001 - else the caller would wait for ever
                outcomes.put(error)
                return
            current = upcoming

    threads = [threading.Thread(target=work, args=(worker,)) for worker in team]
    for thread in threads:
        thread.start()
    try:
        for _ in parts:
            outcome = outcomes.get()
            if isinstance(outcome, Exception):
                raise outcome
            yield outcome
    finally:
        # Once to end what runs, once more to end what was just being started.
        for _ in range(2):
            for worker in team:
                worker.stop()
            for thread in threads:
                thread.join()


class Worker:
    """One worker process, started when it is first needed and again after it died."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._stopped = False
        self._process: subprocess.Popen[bytes] | None = None
        self._ahead: Segment | None = None

    def extract_segment(self, part: Segment, upcoming: Segment | None = None) -> Extracted:
        """Have one part extracted.

        Args:
            part: what to extract.
            upcoming: what will be asked for next, so that the process need not wait to be told.

        Raises:
            AudioError: the part cannot be used, or the worker died of it or did not come to an end.
        """
        if self._stopped:
            raise AudioError(part.path, "was not extracted: extraction was stopped")
        if self._process is None:
            self._process = self._start()
        process = self._process
        watchdog = threading.Timer(PATIENCE, process.kill)
        watchdog.start()
        try:
            requests, answers = _streams(process)
            if part is not self._ahead:
                _request(requests, part)
            self._ahead = upcoming
            if upcoming:
                _request(requests, upcoming)
            return _receive(answers, part)
        except (OSError, ValueError) as error:
            if isinstance(error, AudioError):
                raise
            self._process = self._ahead = None
            reason = f"the process that read it ended or hung (exit status {_end(process)})"
            raise AudioError(part.path, reason) from error
        finally:
            watchdog.cancel()

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        self._stopped = True
        if process := self._process:
            _end(process)

    def _start(self) -> subprocess.Popen[bytes]:
        try:
            process = subprocess.Popen(
                [sys.executable, "-c", BOOTSTRAP, json.dumps(sys.path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=os.environ | ONE_THREAD_EACH,
            )
        except OSError as error:
            raise RuntimeError(f"a worker process did not start ({error})") from error
        requests, answers = _streams(process)
        try:
            _send(requests, self._task.to_dict())
            json.loads(answers.readline())
        except (OSError, ValueError) as error:
            status = _end(process)
            raise RuntimeError(f"a worker process did not start (exit status {status})") from error
        return process


def _end(process: subprocess.Popen[bytes]) -> int:
    """End a process, whatever it is doing, and give its exit status."""
    process.kill()
    for stream in _streams(process):
        # Closing flushes, and nobody reads any more.
        with contextlib.suppress(OSError):
            stream.close()
    return process.wait()


def serve() -> None:
    """Be a worker: read a task, then parts, from standard input until it is closed."""
    # The caller ends its workers itself; without this, each would print a traceback on Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests = sys.stdin.buffer
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # Whatever a library prints must not end up among the answers.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    task = Task.from_dict(json.loads(requests.readline()))
    _send(answers, {"ready": True})
    for line in requests:
        request = json.loads(line)
        part = Segment(Path(request.pop("path")), **request)
        try:
            observed = extract_segment(part, task)
        except AudioError as error:
            _send(answers, {"error": error.reason})
        except Exception as error:  # noqa: BLE001 - one recording must not end the others' extraction
            _send(answers, {"error": f"extraction failed ({type(error).__name__}: {error})"})
        else:
            shape = observed.observations.shape
            _send(answers, {"duration": observed.duration, "shape": shape})
            answers.write(observed.observations.tobytes())
            answers.flush()


def _streams(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    """Give a worker's input and output, which it always has because both were asked for."""
    return cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)


def _send(stream: IO[bytes], message: dict[str, object]) -> None:
    stream.write(json.dumps(message).encode() + b"\n")
    stream.flush()


def _request(stream: IO[bytes], part: Segment) -> None:
    _send(stream, {**vars(part), "path": str(part.path)})


def _receive(stream: IO[bytes], part: Segment) -> Extracted:
    answer = json.loads(stream.readline())
    if "error" in answer:
        raise AudioError(part.path, answer["error"])
    shape = answer["shape"]
    content = stream.read(math.prod(shape) * np.dtype(np.float32).itemsize)
    # A copy, because an array over the bytes that were read could not be written to.
    observations = np.frombuffer(content, np.float32).reshape(shape).copy()
    return Extracted(observations, answer["duration"])
