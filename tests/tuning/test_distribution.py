"""The chief's service."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

import grpc
import pytest
from keras_tuner.src import protos

from ser_keras.files import OutputError
from ser_keras.tuning import distribution


class FullDisk:
    """An oracle that cannot save the trials that it gives out."""

    finished = False
    tuner_ids: frozenset[str] = frozenset()

    def create_trial(self, tuner_id: str) -> Any:
        raise OutputError("oracle.json: cannot be written (No space left on device)")


def test_a_chief_that_cannot_write_ends_instead_of_waiting_for_ever(address: str):
    def ask() -> None:
        with grpc.insecure_channel(address) as channel, contextlib.suppress(grpc.RpcError):
            grpc.channel_ready_future(channel).result(timeout=30)
            service = protos.get_service()
            protos.get_service_grpc().OracleStub(channel).CreateTrial(
                service.CreateTrialRequest(tuner_id="worker"), timeout=30
            )

    worker = threading.Thread(target=ask)
    worker.start()
    with pytest.raises(OutputError, match="No space left"):
        distribution.serve(FullDisk(), address)
    worker.join()
