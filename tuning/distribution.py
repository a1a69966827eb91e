"""One search on several machines: a chief gives trials out, workers run them.

The parts are KerasTuner's own: its service, its messages over gRPC, its environment variables.
Only the chief's loop is ours: KerasTuner's waits for ever for a worker that died.
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
from keras_tuner.src import protos  # of no public name
from keras_tuner.src.distribute.oracle_chief import OracleServicer

from ser_keras.errors import ConfigurationError, SerKerasError

WAIT = 600.0  # seconds that a worker waits for its chief
GRACE = 10.0  # seconds that a chief goes on telling late workers that all is done


class ChiefGone(SerKerasError, ConnectionError):
    """There is no chief where a worker looks for it."""


def parse_address(address: str) -> tuple[str, int]:
    """HOST:PORT in its parts.

    Raises:
        ConfigurationError: it is not of that form.
    """
    host, colon, port = address.rpartition(":")
    if not (colon and host and port.isdigit() and 0 < int(port) < 65536):
        raise ConfigurationError(f"--address: expected HOST:PORT, found {address!r}")
    return host, int(port)


def set_environment(role: str, address: str) -> None:
    """Tell KerasTuner, which looks into the environment, what this process is.

    Raises:
        ConfigurationError: the address is not one.
    """
    host, port = parse_address(address)
    os.environ["KERASTUNER_ORACLE_IP"] = host
    os.environ["KERASTUNER_ORACLE_PORT"] = str(port)
    # KerasTuner takes any name with "chief" in it for the chief's; a host may be called so.
    host = socket.gethostname().lower().replace("chief", "host")
    name = "chief" if role == "chief" else f"worker-{host}-{os.getpid()}"
    os.environ["KERASTUNER_TUNER_ID"] = name


def wait_for_chief(address: str, seconds: float = WAIT) -> None:
    """Wait until the chief answers.

    Raises:
        ChiefGone: it did not in time.
    """
    print(f"tune: looking for the chief at {address}", file=sys.stderr, flush=True)
    with grpc.insecure_channel(address) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=seconds)
        except grpc.FutureTimeoutError as error:
            raise ChiefGone(
                f"no chief answers at {address} after {seconds:.0f} s; start one by the same "
                "command with --role chief"
            ) from error


class Servicer(OracleServicer):
    """KerasTuner's service, which keeps what went wrong in answering for the chief's own loop."""

    failure: Exception | None = None

    def CreateTrial(self, request: Any, context: Any) -> Any:  # noqa: D102
        return self._keep(super().CreateTrial, request, context)

    def UpdateTrial(self, request: Any, context: Any) -> Any:  # noqa: D102
        return self._keep(super().UpdateTrial, request, context)

    def EndTrial(self, request: Any, context: Any) -> Any:  # noqa: D102
        return self._keep(super().EndTrial, request, context)

    def _keep(self, method: Callable[[Any, Any], Any], request: Any, context: Any) -> Any:
        try:
            return method(request, context)
        except Exception as error:
            self.failure = error
            raise


def serve(oracle: Any, address: str) -> None:
    """Give trials out until all have ended; the oracle is told by `Resumable.finished`.

    Raises:
        ConfigurationError: the address cannot be listened at.
        OutputError: the search cannot be written to disk.
    """
    # One thread: an oracle's methods exclude one another by the name of the thread.
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
    servicer = Servicer(oracle)
    protos.get_service_grpc().add_OracleServicer_to_server(servicer, server)
    try:
        if not server.add_insecure_port(address):
            raise RuntimeError("port 0")
    except RuntimeError as error:
        raise ConfigurationError(
            f"--address {address}: cannot listen there (taken, or not of this machine)"
        ) from error
    server.start()
    print(f"tune: chief at {address}, waiting for workers", file=sys.stderr, flush=True)
    try:
        while not oracle.finished:
            # Only the worker that asked has been told, and it has ended.
            if servicer.failure is not None:
                raise servicer.failure
            time.sleep(0.2)
        # Workers that are idle ask within a second whether there is more.
        until = time.monotonic() + GRACE
        while oracle.tuner_ids and time.monotonic() < until:
            time.sleep(0.2)
    finally:
        server.stop(grace=1.0).wait()
