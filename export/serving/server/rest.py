"""TF Serving's REST interface: paths, methods, and which error each mistake is."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

import orjson

from ser_keras.export.serving.server import sound_limits
from ser_keras.export.serving.server.http import Answer
from ser_keras.export.serving.server.loaded_model import Signature
from ser_keras.export.serving.server.repository import Repository, Version
from ser_keras.export.serving.tf_serving import examples, json_answers, json_tensors, json_text
from ser_keras.export.serving.tf_serving.json_tensors import Tensors
from ser_keras.export.serving.tf_serving.metrics import Metrics
from ser_keras.export.serving.tf_serving.status import ServingError, invalid

# http_rest_api_util.cc. Letters of either case match, but a method in capitals is none.
_PREDICTION = re.compile(
    r"/v1/models/([^/:]+)(?:(?:/versions/(\d+))|(?:/labels/([^/:]+)))?:(classify|regress|predict)",
    re.IGNORECASE | re.ASCII,
)
_STATUS = re.compile(
    r"/v1/models(?:/([^/:]+))?(?:(?:/versions/(\d+))|(?:/labels/([^/:]+)))?(?:/(metadata))?",
    re.IGNORECASE | re.ASCII,
)
_PREFIX = re.compile(r"/v1/.*", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Target:
    """What a path names: a model, one of its versions, and what of it."""

    model: str
    version: int | None
    label: str | None
    what: str  # predict, classify, regress, metadata or ""


def is_api(path: str) -> bool:
    """Whether a path belongs to TF Serving's interface."""
    return _PREFIX.fullmatch(path) is not None


def target(method: str, path: str) -> Target:
    """What a request is about.

    Args:
        method: of HTTP.
        path: as it was sent, escapes and all, without the query.

    Raises:
        ServingError: INVALID_ARGUMENT, the request is malformed.
    """
    pattern = {"POST": _PREDICTION, "GET": _STATUS}.get(method)
    match = pattern.fullmatch(path) if pattern else None
    if match is None:
        raise invalid("Malformed request: ", method, " ", path)
    model, version, label, what = match.groups()
    number = None if version is None else int(version[:30])
    if number is not None and number >= 2**63:
        raise invalid("Failed to convert version: ", version, " to numeric.")
    if method == "POST" and what != what.lower():
        raise invalid("Malformed request: ", method, " ", path)
    return Target(
        _unescape(model or ""),
        number,
        None if label is None else _unescape(label),
        what if what == (what or "").lower() and what else "",
    )


def _unescape(text: str) -> str:
    return unquote_to_bytes(text).decode("utf-8", "replace")


class RestInterface:
    """Answers requests from the models of a repository.

    Args:
        repository: the models.
        metrics: counts what is asked.
        longest_sound: seconds of a recording that are accepted.
    """

    def __init__(self, repository: Repository, metrics: Metrics, longest_sound: float) -> None:
        self._repository = repository
        self._metrics = metrics
        self._longest_sound = longest_sound

    async def answer(self, wanted: Target, body: bytes) -> Answer:
        """Answer a request.

        Raises:
            ServingError: it cannot be answered.
        """
        if wanted.what in ("predict", "classify", "regress"):
            return await self._infer(wanted, body)
        if not wanted.model:
            raise invalid("Missing model name in request.")
        if wanted.what == "metadata":
            return self._metadata(wanted)
        states = self._repository.status(wanted.model, wanted.version, wanted.label)
        return _pretty({"model_version_status": states})

    def _metadata(self, wanted: Target) -> Answer:
        with self._repository.use(wanted.model, wanted.version, wanted.label) as version:
            assert version.servable is not None  # noqa: S101  # it is in use
            return _pretty(
                {
                    "model_spec": {
                        "name": wanted.model,
                        "signature_name": "",
                        "version": str(version.number),
                    },
                    "metadata": {
                        "signature_def": {"signature_def": version.servable.metadata},
                    },
                }
            )

    async def _infer(self, wanted: Target, body: bytes) -> Answer:
        began = time.perf_counter()
        document = json_text.parse(body)
        del body
        name = json_tensors.signature_name(document)
        serialized = None if wanted.what == "predict" else examples.read(document)
        with self._repository.use(wanted.model, wanted.version, wanted.label) as version:
            status, running = "OK", 0.0
            try:
                assert version.servable is not None  # noqa: S101  # it is in use
                signature = version.servable.signature(name)
                if serialized is None:
                    request = json_tensors.predict_request(document, signature.inputs)
                    del document
                    entered = time.perf_counter()
                    outputs = await self._run(version, signature, request.tensors)
                    running = time.perf_counter() - entered
                    text = json_answers.answer(request.form, outputs)
                else:
                    examples.check(signature, wanted.what)
                    tensors = {examples.input_name(signature): serialized}
                    outputs = await self._run(version, signature, tensors)
                    text = examples.answer(wanted.what, outputs, len(serialized))
                return Answer(text.encode())
            except ServingError as error:
                status = error.code
                raise
            finally:
                seconds = time.perf_counter() - began
                self._metrics.record(wanted.model, wanted.what, status, seconds, running)

    async def _run(self, version: Version, signature: Signature, tensors: Tensors) -> Tensors:
        signature.check(tensors)
        assert version.servable is not None  # noqa: S101  # it is in use
        description = version.servable.description
        seconds = sound_limits.check(tensors, description, self._longest_sound)
        return await self._repository.batcher(version, signature).run(tensors, seconds)


def _pretty(value: Any) -> Answer:
    return Answer(orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n")
