"""TF Serving's REST interface: paths, methods, and a request's way from JSON to JSON."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

import orjson

from ser_keras.export.serving.server import sound_limits
from ser_keras.export.serving.server.answer import Answer
from ser_keras.export.serving.server.repository import Repository
from ser_keras.export.serving.tf_serving import examples, json_answers, json_tensors, json_text
from ser_keras.export.serving.tf_serving.metrics import Metrics
from ser_keras.export.serving.tf_serving.status import ServingError, invalid

# http_rest_api_util.cc. Letters of either case match, but a method in capitals is none.
_INFERENCE = re.compile(
    r"/v1/models/([^/:]+)(?:(?:/versions/(\d+))|(?:/labels/([^/:]+)))?:(classify|regress|predict)",
    re.IGNORECASE | re.ASCII,
)
_STATUS = re.compile(
    r"/v1/models(?:/([^/:]+))?(?:(?:/versions/(\d+))|(?:/labels/([^/:]+)))?(?:/(metadata))?",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True)
class _Target:
    """What a path names; `what` is predict, classify, regress, metadata or status."""

    model: str
    version: int | None
    label: str | None
    what: str


def is_api(path: str) -> bool:
    """Return whether a path belongs to TF Serving's interface.

    Example:
        >>> is_api("/v1/models/vrnn:predict"), is_api("/page/models")
        (True, False)
    """
    return path[:4].lower() == "/v1/"


class RestInterface:
    """TF Serving's REST interface to the models of a repository.

    Args:
        repository: the models.
        metrics: count the requests.
        longest_sound: longest recording accepted, in seconds.

    Example:
        >>> interface = RestInterface(Repository(dict, threads=1), Metrics(), longest_sound=600.0)
    """

    def __init__(self, repository: Repository, metrics: Metrics, longest_sound: float) -> None:
        self._repository = repository
        self._metrics = metrics
        self._longest_sound = longest_sound

    async def answer(self, method: str, path: str, body: bytes) -> Answer:
        """Answer a request.

        Args:
            method: of HTTP.
            path: as it was sent, escapes and all, without the query.
            body: whole.

        Raises:
            ServingError: it cannot be answered.
        """
        target = _parse(method, path)
        if method == "POST":
            return await self._infer(target, body)
        if not target.model:
            raise invalid("Missing model name in request.")
        if target.what == "metadata":
            return self._metadata(target)
        states = self._repository.status(target.model, target.version, target.label)
        return _pretty({"model_version_status": states})

    def _metadata(self, target: _Target) -> Answer:
        with self._repository.use(target.model, target.version, target.label) as version:
            number = str(version.number)
            spec = {"name": target.model, "signature_name": "", "version": number}
            signatures = {"signature_def": {"signature_def": version.model.metadata}}
        return _pretty({"model_spec": spec, "metadata": signatures})

    async def _infer(self, target: _Target, body: bytes) -> Answer:
        """Turn a body into values, tensors, outputs and a body again.

        As in TF Serving, what is wrong with JSON, and with examples, is told before it is known
        whether there is such a model; what is wrong with tensors is told after.
        """
        began = time.perf_counter()
        status, running = "OK", 0.0
        predicts = target.what == "predict"
        document = json_text.parse(body)
        name = json_text.signature_name(document)
        serialized = None if predicts else examples.read(document)
        with self._repository.use(target.model, target.version, target.label) as version:
            try:
                model = version.model
                signature = model.signature(name)
                if serialized is None:
                    form, tensors = json_tensors.predict_request(document, signature.inputs)
                else:
                    form = ""
                    tensors = examples.tensors(
                        serialized, target.what, signature.method, signature.inputs
                    )
                del document  # megabytes, not needed while the request waits for its batch
                seconds = sound_limits.check(tensors, model.description, self._longest_sound)
                entered = time.perf_counter()
                outputs = await model.batchers[signature.name].run(tensors, seconds)
                running = time.perf_counter() - entered
                if serialized is None:
                    return Answer(json_answers.predict_body(form, outputs))
                return Answer(json_answers.examples_body(target.what, outputs, len(serialized)))
            except ServingError as error:
                status = error.code
                raise
            finally:
                seconds = time.perf_counter() - began
                self._metrics.record(target.model, target.what, status, seconds, running)


def _parse(method: str, path: str) -> _Target:
    pattern = {"POST": _INFERENCE, "GET": _STATUS}.get(method)
    match = pattern.fullmatch(path) if pattern else None
    if match is None:
        raise invalid(f"Malformed request: {method} {path}")
    model, version, label, what = match.groups()
    number = None if version is None else int(version[:30])
    if number is not None and number >= 2**63:
        raise invalid(f"Failed to convert version: {version} to numeric.")
    if what is None or not what.islower():  # GET …/METADATA is a status, POST …:PREDICT nothing
        if method == "POST":
            raise invalid(f"Malformed request: {method} {path}")
        what = "status"
    return _Target(
        _unescape(model or ""), number, None if label is None else _unescape(label), what
    )


def _unescape(text: str) -> str:
    return unquote_to_bytes(text).decode("utf-8", "replace")


def _pretty(value: Any) -> Answer:
    return Answer(orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n")
