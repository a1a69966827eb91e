"""The client of served models and its REST transport; the gRPC transport is in `grpc`."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np
import pybase64

from ser_keras.errors import ConfigurationError
from ser_keras.export.client.errors import ServerError


class Client(AbstractContextManager["Client"]):
    """Asks a server, TF Serving or `ser-keras serve`, for the emotion in recordings.

    `predict` and `call` raise ServerError where there is no answer, or an error. A connection that
    fails is tried again; a request that takes too long is not: the server may still be at work.

    Args:
        server: http://HOST:PORT, https://..., or grpc://HOST:PORT.
        version: a version's number; None for the latest, or for the one that `label` names.
        timeout: seconds that a request may take.
        retries: how often a connection is tried again.
        backoff: seconds before the first retry, doubled before each further one.

    Example:
        >>> with Client("http://127.0.0.1:9", "vrnn") as client:  # no server there
        ...     client.ready()
        False
        >>> client.predict([Path(wav).read_bytes()])[0]["emotion"]  # doctest: +SKIP
        'happy'
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
        self._transport: Any
        if _scheme(server) == "grpc":
            from ser_keras.export.client.grpc import Grpc  # imports TensorFlow

            self._transport = Grpc(server, model, version, label, timeout)
        else:
            self._transport = _Rest(server, model, version, label, timeout)

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def predict(self, recordings: Sequence[bytes]) -> list[dict[str, Any]]:
        """Recognise recordings, 16-bit WAV files, all in one request.

        Returns:
            For each: emotion, probabilities [C], timeline [T, C], sampled_fraction, instants and,
            by models exported since, silent.

        Raises:
            ServerError: also where one of them cannot be used; `predict_each` answers the others.
        """
        answers = self.predict_each(recordings)
        for answer in answers:
            if "error" in answer:
                raise ServerError(self.server, answer["error"], 400)
        return answers

    def predict_each(self, recordings: Sequence[bytes]) -> list[dict[str, Any]]:
        """Do as `predict`, but give {"error"} for a recording that the model cannot use.

        So do TF Serving and models exported since; others refuse the request.
        """
        outputs = self.call("serving_default", {"audio": list(recordings)})
        rows = zip(*outputs.values(), strict=True)
        answers = [dict(zip(outputs, row, strict=True)) for row in rows]
        for answer in answers:
            # What follows is padding to the longest recording of the request.
            answer["timeline"] = answer["timeline"][: answer["instants"]]
        problems = [answer.pop("error", "") for answer in answers]
        return [
            {"error": problem} if problem else answer
            for problem, answer in zip(problems, answers, strict=True)
        ]

    def call(self, signature: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Call any signature.

        Inputs are nested lists or arrays, strings among them bytes; outputs are nested lists, and
        strings among them text.
        """
        return dict(self._persist(lambda: self._transport.call(signature, inputs)))

    def description(self) -> dict[str, Any] | None:
        """Describe the model as `ser_keras.export.graph.inference.describe` does.

        None where the server does not know, as TF Serving, or `ser-keras serve` of any version but
        the latest.
        """
        description: dict[str, Any] | None = self._persist(self._transport.description)
        return description

    def _persist(self, ask: Callable[[], Any]) -> Any:
        """Ask until there is a connection."""
        attempt = 0
        while True:
            try:
                return ask()
            except ConnectionError as error:
                if attempt >= self._retries:
                    raise ServerError(self.server, f"cannot be reached: {error}") from error
            time.sleep(self._backoff * 2**attempt)
            attempt += 1

    def ready(self) -> bool:
        """Whether the model has a version that answers; over gRPC, whether there is a server."""
        try:
            return bool(self._transport.ready())
        except (ConnectionError, ServerError):
            return False


def _scheme(server: str) -> str:
    """Return the scheme of a server's address; refuse what is no address."""
    address = urlsplit(server)
    try:
        host, port = address.hostname, address.port
    except ValueError:  # the port is no number
        host = port = None
    if host and (address.scheme in ("http", "https") or (address.scheme == "grpc" and port)):
        return address.scheme
    raise ConfigurationError(
        f"server: expected http://HOST:PORT, https://HOST or grpc://HOST:PORT, found {server}"
    )


class _Rest:
    """TF Serving's REST interface, in column format, on one connection that is kept."""

    def __init__(
        self, server: str, model: str, version: int | None, label: str | None, timeout: float
    ) -> None:
        address = urlsplit(server)
        secure = address.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        self._connection = kind(address.hostname or "", address.port, timeout=timeout)
        self._server = server
        self._timeout = timeout
        self._model = model
        self._root = address.path.rstrip("/")
        self._path = f"{self._root}/v1/models/{quote(model, safe='')}"
        if version is not None:
            self._path += f"/versions/{version}"
        if label is not None:
            self._path += f"/labels/{quote(label, safe='')}"

    def call(self, signature: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        tensors = {name: _to_json(value) for name, value in inputs.items()}
        body = json.dumps({"signature_name": signature, "inputs": tensors})
        outputs = self._ask("POST", f"{self._path}:predict", body)["outputs"]
        return outputs if isinstance(outputs, dict) else {"output": outputs}

    def description(self) -> dict[str, Any] | None:
        try:
            models = self._ask("GET", f"{self._root}/page/models")["models"]
        except ServerError as error:
            if error.status is None:
                raise
            return None
        states = self._ask("GET", self._path)["model_version_status"]
        versions = {int(state["version"]) for state in states}
        named = (model for model in models if model["name"] == self._model)
        return next((model for model in named if model["version"] in versions), None)

    def ready(self) -> bool:
        # A status of 200 alone does not say that a version answers.
        states = self._ask("GET", self._path)["model_version_status"]
        return any(version["state"] == "AVAILABLE" for version in states)

    def close(self) -> None:
        self._connection.close()

    def _ask(self, method: str, path: str, body: str | None = None) -> dict[str, Any]:
        try:
            self._connection.request(method, path, body)
            reply = self._connection.getresponse()
            content = reply.read()
        except TimeoutError:
            self.close()
            raise ServerError(self._server, f"no answer within {self._timeout:g} s") from None
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise ConnectionError(getattr(error, "strerror", None) or repr(error)) from error
        try:
            answer = json.loads(content)
        except ValueError:
            answer = {"error": f"answer: expected JSON, found {content[:100]!r}"}
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
