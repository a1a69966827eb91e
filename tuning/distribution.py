"""One search on several machines: a chief gives trials out, workers run them.

Service, messages over gRPC and environment variables are KerasTuner's own. Only the chief's loop is
ours: KerasTuner's waits for ever for a worker that died.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable
from concurrent import futures
from typing import Any

import grpc
from keras_tuner.src import protos  # private, as the service is: setup.cfg bounds the version
from keras_tuner.src.distribute.oracle_chief import OracleServicer

from ser_keras.errors import ConfigurationError
from ser_keras.tuning.search import SearchError

WAIT = 600.0  # seconds that a worker waits for its chief
_GRACE = 10.0  # seconds that a chief goes on telling late workers that all is done


def set_environment(role: str, address: str) -> None:
    """Set the variables by which KerasTuner knows a process' role, "chief" or "worker".

    Example:
        >>> set_environment("worker", "chief-host")
        Traceback (most recent call last):
        ser_keras.errors.ConfigurationError: --address: expected HOST:PORT, found 'chief-host'
    """
    host, _, port = address.rpartition(":")
    if not (host and port.isdigit() and 0 < int(port) < 65536):
        raise ConfigurationError(f"--address: expected HOST:PORT, found {address!r}")
    os.environ["KERASTUNER_ORACLE_IP"] = host
    os.environ["KERASTUNER_ORACLE_PORT"] = port
    # KerasTuner takes any name with "chief" in it for the chief's; a host may be called so.
    machine = socket.gethostname().lower().replace("chief", "host")
    name = "chief" if role == "chief" else f"worker-{machine}-{os.getpid()}"
    os.environ["KERASTUNER_TUNER_ID"] = name


def wait_for_chief(address: str, seconds: float = WAIT) -> None:
    """Wait until the chief answers.

    Example:
        >>> wait_for_chief("127.0.0.1:1", seconds=0.1)
        Traceback (most recent call last):
        ser_keras.tuning.search.SearchError: 127.0.0.1:1: expected a chief ...
    """
    print(f"tune: looking for the chief at {address}", file=sys.stderr, flush=True)
    with grpc.insecure_channel(address) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=seconds)
        except grpc.FutureTimeoutError as error:
            raise SearchError(
                f"{address}: expected a chief to answer, found none after {seconds:.0f} s; start "
                "one by the same command with --role chief"
            ) from error


def serve(oracle: Any, address: str) -> None:
    """Give trials out until all have ended, which the oracle's `finished` tells.

    Raises:
        ConfigurationError: the address cannot be listened at.
        OutputError: the search cannot be written to disk.

    Example:
        >>> from types import SimpleNamespace
        >>> serve(SimpleNamespace(finished=True, tuner_ids=()), "127.0.0.1:0")
    """
    # One thread: an oracle's methods exclude one another by the name of the thread.
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
    errors: list[Exception] = []
    service = OracleServicer(oracle)
    for name in ("CreateTrial", "UpdateTrial", "EndTrial"):
        setattr(service, name, _noting(getattr(service, name), errors))
    protos.get_service_grpc().add_OracleServicer_to_server(service, server)
    try:
        if not server.add_insecure_port(address):
            raise RuntimeError("port 0")
    except RuntimeError as error:
        raise ConfigurationError(
            f"--address: expected an address of this machine that is free, found {address}"
        ) from error
    server.start()
    print(f"tune: chief at {address}, waiting for workers", file=sys.stderr, flush=True)
    try:
        while not oracle.finished:
            if errors:
                raise errors[0]
            time.sleep(0.2)
        # Idle workers ask within a second whether there is more.
        until = time.monotonic() + _GRACE
        while oracle.tuner_ids and time.monotonic() < until:
            time.sleep(0.2)
    finally:
        server.stop(grace=1.0).wait()


def _noting(method: Callable[..., Any], errors: list[Exception]) -> Callable[..., Any]:
    """Keep the oracle's errors for the chief too: KerasTuner sends them to the worker alone."""

    def call(request: Any, context: Any) -> Any:
        try:
            return method(request, context)
        except Exception as error:
            errors.append(error)
            raise

    return call
