"""Several processes or machines that train one model: who is who, and what if one is lost.

TensorFlow's collectives end with an error in every worker when one of them is lost. None can go on
without it, so all begin again from the last backup: the others by themselves, the lost one when
its scheduler starts it. Only the chief writes.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import tensorflow as tf

from ser_keras.errors import ConfigurationError

VARIABLE = "TF_CONFIG"
WAIT = 600.0  # seconds for all workers to be there: time for a scheduler to find a machine

_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
)


def join(wait: float = WAIT) -> tf.distribute.Strategy:
    """Return the strategy of the cluster that `TF_CONFIG` describes, when all workers are there.

    Without `TF_CONFIG`, or where it names one worker alone, that is TensorFlow's own for one
    process.

    Args:
        wait: seconds after which the process ends, with status 1, if workers are missing.

    Raises:
        ConfigurationError: `TF_CONFIG` describes no cluster of workers, or TensorFlow has computed
            something already.

    Example:
        >>> join().num_replicas_in_sync
        1
    """
    count = _workers(os.environ.get(VARIABLE, ""))
    if count < 2:
        return tf.distribute.get_strategy()
    message = f"{VARIABLE}: waiting for {count} workers, for {wait:.0f} s at most"
    print(f"ser-keras: {message}", file=sys.stderr, flush=True)
    with _at_most(wait):
        try:
            return tf.distribute.MultiWorkerMirroredStrategy()
        except RuntimeError as error:
            raise ConfigurationError(
                f"{VARIABLE}: expected to be read before TensorFlow computes anything, found it "
                f"at work ({error})"
            ) from error


def _workers(text: str) -> int:
    """Return how many workers there are; 0 where there is no cluster."""
    if not text.strip():
        return 0
    try:
        described = json.loads(text)
        cluster, task = described.get("cluster", {}), described.get("task", {})
        here = cluster[task["type"]][int(task["index"])] if cluster else ""
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise ConfigurationError(
            f"{VARIABLE}: expected JSON with a cluster and this task's type and index in it, found "
            f"{text!r}"
        ) from error
    if others := set(cluster) - {"chief", "worker"}:
        raise ConfigurationError(
            f"{VARIABLE}: expected a cluster of workers, perhaps with a chief, found "
            f"{', '.join(sorted(others))}"
        )
    return sum(map(len, cluster.values())) if here else 0


@contextlib.contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """End the process, with status 1, if the block takes longer.

    TensorFlow waits in C++ and keeps Python's lock, so that neither a thread nor a handler of a
    signal could do it; faulthandler's watchdog needs no lock.
    """
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        faulthandler.dump_traceback_later(seconds, exit=True, file=nowhere)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Return whether this process is the one that writes: the chief, or else the first worker.

    Example:
        >>> is_chief(tf.distribute.get_strategy())
        True
    """
    resolver = strategy.cluster_resolver
    if resolver is None:
        return True
    has_chief = "chief" in resolver.cluster_spec().jobs
    return resolver.task_type == "chief" or (not has_chief and resolver.task_id == 0)


def share(
    strategy: tf.distribute.Strategy,
    make: Callable[..., tf.data.Dataset],
) -> tf.data.Dataset | tf.distribute.DistributedDataset:
    """Return this worker's share of batches, all of them in one process.

    Args:
        strategy: that of `join`.
        make: makes all batches, or with `share=…` those of a worker, as `pipeline.batches`.

    Example:
        >>> made = share(tf.distribute.get_strategy(), lambda: tf.data.Dataset.range(3))
        >>> int(made.cardinality())
        3
    """
    if strategy.num_replicas_in_sync == 1:
        return make()
    # Not fetched ahead to a GPU: a thread would begin an epoch before Keras does.
    options = tf.distribute.InputOptions(experimental_fetch_to_device=False)
    return strategy.distribute_datasets_from_function(lambda context: make(share=context), options)


def agree(strategy: tf.distribute.Strategy, number: int, what: str) -> None:
    """Refuse to go on where workers have different numbers.

    Raises:
        ConfigurationError: they have; `what` says of what.

    Example:
        >>> agree(tf.distribute.get_strategy(), 3, "epochs")
    """
    if strategy.num_replicas_in_sync == 1:
        return

    def bounds() -> tf.Tensor:
        context = tf.distribute.get_replica_context()
        own = tf.one_hot(context.replica_id_in_sync_group, context.num_replicas_in_sync)
        here = tf.cast(own, tf.int32) * number
        return context.all_reduce(tf.distribute.ReduceOp.SUM, here)

    found = strategy.experimental_local_results(strategy.run(tf.function(bounds)))[0].numpy()
    if len(set(found.tolist())) > 1:
        shown = ", ".join(map(str, found))
        raise ConfigurationError(f"{what}: expected the same on all workers, found {shown}")


@contextlib.contextmanager
def restarting() -> Iterator[None]:
    """Run this program again where a worker is lost, so that training goes on when it is back.

    Nothing that follows the block is done then.

    Example:
        >>> with restarting():
        ...     strategy = join()
    """
    try:
        yield
    except _LOST as error:
        if _workers(os.environ.get(VARIABLE, "")) < 2:
            raise
        *_, reason = error.message.strip().splitlines() or ["no reason is known"]
        print(
            f"ser-keras: a worker was lost; starting again, from the last backup ({reason})",
            file=sys.stderr,
            flush=True,
        )
        # A command lends the descriptor of standard output to what prints from C.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(sys.stdout.fileno(), 1)
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606
