"""TF Serving's gRPC interface, for `Client`; it needs no package that TensorFlow does not bring."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from ser_keras.export.client.errors import ServerError
from ser_keras.export.serving.tf_serving.protocol import PredictRequest, PredictResponse

_LARGEST_MESSAGE = 256 * 2**20  # gRPC's own limit of 4 MiB is less than a minute of sound


class Grpc:
    """A channel to PredictionService; takes what `Client` does, and its `call` tries once.

    Example:
        >>> Grpc("grpc://127.0.0.1:9", "vrnn", None, None, timeout=0.01).ready()  # no server there
        False
    """

    def __init__(
        self, server: str, model: str, version: int | None, label: str | None, timeout: float
    ) -> None:
        self._server = server
        self._timeout = timeout
        self._request = PredictRequest()
        self._request.model_spec.name = model
        if version is not None:
            self._request.model_spec.version.value = version
        if label is not None:
            self._request.model_spec.version_label = label
        options = [
            ("grpc.max_send_message_length", _LARGEST_MESSAGE),
            ("grpc.max_receive_message_length", _LARGEST_MESSAGE),
            ("grpc.enable_retries", 0),  # the client counts them
        ]
        self._channel = grpc.insecure_channel(urlsplit(server).netloc, options)
        self._predict = self._channel.unary_unary(
            "/tensorflow.serving.PredictionService/Predict",
            request_serializer=PredictRequest.SerializeToString,
            response_deserializer=PredictResponse.FromString,
        )

    def call(self, signature: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Call any signature, as `Client.call`; may raise ConnectionError."""
        request = PredictRequest()
        request.CopyFrom(self._request)
        request.model_spec.signature_name = signature
        for name, value in inputs.items():
            proto = tf.make_tensor_proto(value)
            request.inputs[name].ParseFromString(proto.SerializeToString())
        try:
            response = self._predict(request, timeout=self._timeout)
        except grpc.RpcError as error:
            code = error.code()
            if code == grpc.StatusCode.UNAVAILABLE:
                raise ConnectionError(error.details()) from error
            if code == grpc.StatusCode.DEADLINE_EXCEEDED:
                raise ServerError(self._server, f"no answer within {self._timeout:g} s") from error
            raise ServerError(self._server, error.details() or "", code.name) from error
        return {name: _to_lists(proto) for name, proto in response.outputs.items()}

    def description(self) -> None:
        """Return None: TF Serving does not describe models as `Client.description` does."""

    def ready(self) -> bool:
        """Whether the server can be reached."""
        try:
            grpc.channel_ready_future(self._channel).result(timeout=min(self._timeout, 5.0))
        except grpc.FutureTimeoutError:
            return False
        return True

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()


def _to_lists(proto: Any) -> Any:
    """A tensor as REST gives it."""
    values = tf.make_ndarray(tensor_pb2.TensorProto.FromString(proto.SerializeToString()))
    if values.dtype == object:
        values = np.vectorize(lambda text: text.decode("utf-8", "replace"), otypes="O")(values)
    return values.tolist()
