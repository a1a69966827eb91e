"""Pipelines on worker processes of this machine, begun again when one of those is lost.

Beam's DirectRunner waits for ever for a worker process that was killed, as by a system short of
memory. So it runs in a process of its own, which ends when that happens. No result has its name
by then, so that another attempt finds everything as the first did.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import multiprocessing.connection
import multiprocessing.process
import os
import re
import shlex
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.metrics import MetricsFilter
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions

from ser_keras.errors import SerKerasError
from ser_keras.export.batch.reading import COUNTERS

ATTEMPTS = 3

_LOST = 75  # the exit status of a process that has lost a worker
_WORKER_THREAD = "run_worker"  # Beam's name of the thread that waits for one
_WAIT = 2.0  # seconds in which Beam notices a lost worker, whatever else it complains of


class WorkersLost(SerKerasError):
    """Worker processes were lost again and again.

    Example:
        >>> raise WorkersLost(2)
        Traceback (most recent call last):
        ser_keras.export.batch.attempts.WorkersLost: batch: expected worker processes that ...
    """

    def __init__(self, attempts: int) -> None:
        super().__init__(
            f"batch: expected worker processes that live to the end, found one killed in each of "
            f"{attempts} attempts; perhaps there is too little memory for so many"
        )


Build = Callable[[beam.Pipeline], None]  # puts its steps on a pipeline


def run(build: Build, options: Mapping[str, Any], out: str = "") -> dict[str, int]:
    """Run a pipeline to its end, whatever workers it takes; return its `counts`.

    Args:
        build: a function that worker processes can import.
        options: of Beam, by name.
        out: the prefix of what it writes, of which a lost attempt leaves parts.

    Raises:
        WorkersLost: in every attempt.

    Example:
        >>> run(lambda pipeline: pipeline | beam.Create(["a.wav"]), {})["answered"]
        0
    """
    chosen = PipelineOptions([], **options)
    if chosen.view_as(DirectOptions).direct_running_mode != "multi_processing":
        return _run(build, chosen)
    # Workers tell everything that they begin and end.
    options = {"default_sdk_harness_log_level": "ERROR", **options}
    for attempt in range(1, ATTEMPTS + 1):
        counted = _attempt(build, options, out)
        if counted is not None:
            return counted
        _remove_left(out)
        again = f"; attempt {attempt + 1} of {ATTEMPTS} begins" if attempt < ATTEMPTS else ""
        print(f"batch: a worker process was lost{again}", file=sys.stderr)
    raise WorkersLost(ATTEMPTS)


def counts(result: Any) -> dict[str, int]:
    """Return the counters of a pipeline that has ended, 0 for what was never counted.

    Example:
        >>> from ser_keras.export.batch.pipeline import Count
        >>> with beam.Pipeline() as pipeline:
        ...     _ = pipeline | beam.Create([{}]) | beam.ParDo(Count("failed"))
        >>> counts(pipeline.result)["failed"]
        1
    """
    found = dict.fromkeys(("answered", "failed", "bytes_read", "milliseconds_of_sound"), 0)
    metrics = result.metrics().query(MetricsFilter().with_namespace(COUNTERS))
    for counter in metrics["counters"]:
        found[counter.key.metric.name] += counter.result
    return found


def _run(build: Build, options: PipelineOptions) -> dict[str, int]:
    pipeline = beam.Pipeline(options=options)
    build(pipeline)
    result = pipeline.run()
    result.wait_until_finish()
    return counts(result)


def _attempt(build: Build, options: Mapping[str, Any], out: str) -> dict[str, int] | None:
    """Run a pipeline in a process of its own; None if that lost a worker."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(sender, build, dict(options), out))
    process.start()
    sender.close()
    try:
        found = receiver.recv()
    except EOFError:  # it has ended without an answer
        return None
    finally:
        _end(process)
    if isinstance(found, str):
        raise RuntimeError(found)
    return found


def _end(process: multiprocessing.process.BaseProcess) -> None:
    """End a process and its workers, whatever they still wait for."""
    if hasattr(os, "killpg") and process.pid is not None:
        with contextlib.suppress(ProcessLookupError):  # it has no workers any more
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()


def _work(
    sender: multiprocessing.connection.Connection,
    build: Build,
    options: dict[str, Any],
    out: str,
) -> None:
    def end(failed: threading.ExceptHookArgs) -> None:
        if failed.thread is not None and failed.thread.name == _WORKER_THREAD:
            os._exit(_LOST)
        threading.__excepthook__(failed)

    # A group of its own, which `_end` ends.
    if hasattr(os, "setsid"):
        os.setsid()
        threading.Thread(target=_end_with_caller, args=(out,), daemon=True).start()
    threading.excepthook = end
    if os.name == "posix":  # Beam starts workers by a shell, which would cut the path at a space
        sys.executable = shlex.quote(sys.executable)
    logging.getLogger().setLevel(logging.ERROR)
    try:
        sender.send(_run(build, PipelineOptions([], **options)))
    except Exception as error:  # noqa: BLE001  # the other process raises it
        time.sleep(_WAIT)
        sender.send(f"{type(error).__name__}: {error}")


def _end_with_caller(out: str) -> None:
    """End this process and its workers with its caller, which may be killed before it can."""
    if (caller := multiprocessing.parent_process()) is not None:
        caller.join()
        _remove_left(out)  # first: the next line ends this process too
        os.killpg(0, signal.SIGKILL)


def _remove_left(prefix: str) -> None:
    """Remove what a lost attempt has written; Beam removes its own at the end alone."""
    out = Path(prefix)
    # Names end with an identifier; another call may write to `answers-2` beside `answers`.
    own = re.compile(f"beam-temp-{re.escape(out.name)}(-failed)?-[0-9a-f]{{32}}")
    for left in out.parent.glob("beam-temp-*"):
        if own.fullmatch(left.name):
            shutil.rmtree(left, ignore_errors=True)
