"""A client of served models: of TF Serving and of `ser-keras serve` alike, over REST or gRPC.

from ser_keras.export.client import Client
with Client("http://127.0.0.1:8501", "vrnn") as client:
print(client.predict([open("hello.wav", "rb").read()]))
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import numpy as np
import pybase64

from ser_keras.errors import ConfigurationError, SerKerasError

Result = TypeVar("Result")
SIGNATURE = "serving_default"


class ServerError(SerKerasError):
    """A server could not be reached, or answered with an error.

    Args:
        server: as the user named it.
        message: the server's own words, where it had any.
        status: of HTTP, or gRPC's code by name; None where there was no answer.
    """

    def __init__(self, server: str, message: str, status: int | str | None = None) -> None:
        super().__init__(f"{server}: {message}" + (f" ({status})" if status is not None else ""))
        self.message = message
        self.status = status

    @property
    def is_of_input(self) -> bool:
        """Whether the server found fault with what it was sent, rather than with itself."""
        return self.status in (400, 413, "INVALID_ARGUMENT")


class Client:
    """Asks a server for the emotion in recordings.

    A connection that fails is tried again; an error that the server answers is not, nor is
    a request that takes too long: it may still be at work on it.

    Args:
        server: http://HOST:PORT, https://..., or grpc://HOST:PORT.
        model: its name.
        version: a version's number; None for the latest.
        label: a version's label, instead.
        timeout: seconds that a request may take.
        retries: how often a connection is tried again.
        backoff: seconds before the first retry, doubled before each further one.

    Raises:
        ConfigurationError: the address is none, or both a version and a label are given.
    """

    def __init__(
        self,
        server: str,
        model: str,
        *,
        version: int | None = None,
        label: str | None = None,
        timeout: float = 60.0,
        retries: int = 4,
        backoff: float = 0.25,
    ) -> None:
        if version is not None and label is not None:
            raise ConfigurationError("version and label: expected one of them, found both")
        self.server = server
        self._retries = retries
        self._backoff = backoff
        self._transport = _transport(server, model, version, label, timeout)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection."""
        self._transport.close()

    def predict(self, recordings: Sequence[bytes]) -> list[dict[str, Any]]:
        """Recognise recordings, all in one request.

        Args:
            recordings: 16-bit WAV files.

        Returns:
            For each: emotion, probabilities [C], timeline [T, C], sampled_fraction and instants.

        Raises:
            ServerError: there was no answer, or an error.
        """
        outputs = self.call(SIGNATURE, {"audio": list(recordings)})
        answers = []
        for row in range(len(recordings)):
            answer = {name: values[row] for name, values in outputs.items()}
            # What is beyond is zero, and only there because another recording was longer.
            answer["timeline"] = answer["timeline"][: answer["instants"]]
            answers.append(answer)
        return answers

    def call(self, signature: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Call any signature.

        Args:
            signature: its name.
            inputs: tensors as nested lists or arrays; strings are bytes.

        Returns:
            The outputs, as nested lists; strings are text.

        Raises:
            ServerError: there was no answer, or an error.
        """
        return self._retry(lambda: self._transport.call(signature, inputs))

    def ready(self) -> bool:
        """Whether the model has a version that answers; never raises for want of a server.

        Over gRPC, whether the server can be reached.
        """
        try:
            return self._transport.ready()
        except (OSError, ServerError, http.client.HTTPException):
            return False

    def _retry(self, ask: Callable[[], Result]) -> Result:
        for attempt in range(self._retries + 1):
            try:
                return ask()
            except ConnectionLost as error:
                if attempt == self._retries:
                    raise ServerError(self.server, f"cannot be reached: {error}") from error
                time.sleep(self._backoff * 2**attempt)
        raise AssertionError  # the last attempt returns or raises


class ConnectionLost(Exception):
    """There was no connection, or it broke: worth another try."""


class Rest:
    """TF Serving's REST interface, in column format, on one connection that is kept.

    Args:
        server: its address.
        path: /v1/models/NAME[/versions/N|/labels/L].
        timeout: in seconds.
    """

    def __init__(self, server: str, path: str, timeout: float) -> None:
        address = urlsplit(server)
        secure = address.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        self._server = server
        self._path = address.path.rstrip("/") + path
        self._timeout = timeout
        self._connection = kind(address.hostname or "", address.port, timeout=timeout)

    def call(self, signature: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """As `Client.call`."""
        body = json.dumps(
            {"signature_name": signature, "inputs": {k: _to_json(v) for k, v in inputs.items()}}
        )
        outputs = self._ask("POST", f"{self._path}:predict", body)["outputs"]
        return outputs if isinstance(outputs, dict) else {"output": outputs}

    def ready(self) -> bool:
        """Whether a version is AVAILABLE: a status of 200 alone does not say so."""
        try:
            states = self._ask("GET", self._path)["model_version_status"]
        except ConnectionLost:
            return False
        return any(version["state"] == "AVAILABLE" for version in states)

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def _ask(self, method: str, path: str, body: str | None = None) -> dict[str, Any]:
        try:
            self._connection.request(method, path, body)
            reply = self._connection.getresponse()
            content = reply.read()
        except TimeoutError:
            self._connection.close()
            raise ServerError(self._server, f"no answer within {self._timeout:g} s") from None
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise ConnectionLost(getattr(error, "strerror", None) or repr(error)) from error
        try:
            answer = json.loads(content)
        except ValueError:
            answer = {"error": f"found an answer that is no JSON: {content[:100]!r}"}
        if reply.status != 200 or "error" in answer:
            message = answer.get("error", "an error without a word")
            raise ServerError(self._server, str(message), reply.status)
        return dict(answer)


def _to_json(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"b64": pybase64.b64encode(value).decode()}
    if isinstance(value, np.ndarray):
        return value.tolist()
    return [_to_json(item) for item in value] if isinstance(value, (list, tuple)) else value


def _transport(
    server: str, model: str, version: int | None, label: str | None, timeout: float
) -> Any:
    address = urlsplit(server)
    try:
        port, sound = address.port, bool(address.hostname)
    except ValueError:
        port, sound = None, False
    if address.scheme in ("http", "https") and sound:
        path = f"/v1/models/{quote(model, safe='')}"
        if version is not None:
            path += f"/versions/{version}"
        if label is not None:
            path += f"/labels/{quote(label, safe='')}"
        return Rest(server, path, timeout)
    if address.scheme == "grpc" and sound and port:
        from ser_keras.export.client.grpc import Grpc

        return Grpc(server, address.netloc, model, version, label, timeout)
    raise ConfigurationError(
        f"server {server}: expected http://HOST:PORT, https://HOST or grpc://HOST:PORT"
    )
