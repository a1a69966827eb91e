"""TF Serving's REST interface: paths, methods, and a request's way from JSON to JSON."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

import orjson

from ser_keras.export.serving.server import sound_limits
from ser_keras.export.serving.server.answer import Answer
from ser_keras.export.serving.server.repository import Repository
from ser_keras.export.serving.tf_serving import (
    examples,
    json_answers,
    json_parsing,
    json_tensors,
    json_text,
)
from ser_keras.export.serving.tf_serving.json_tensors import Tensors
from ser_keras.export.serving.tf_serving.metrics import Metrics
from ser_keras.export.serving.tf_serving.status import ServingError, invalid

# http_rest_api_util.cc. Letters of either case match, but a method in capitals is none.
_VERSION = r"(?:(?:/versions/(\d+))|(?:/labels/([^/:]+)))?"
_PATHS = {
    "POST": rf"/v1/models/([^/:]+){_VERSION}:(classify|regress|predict)",
    "GET": rf"/v1/models(?:/([^/:]+))?{_VERSION}(?:/(metadata))?",
}
# More is read and written outside the event loop, which a recording of seconds need not leave.
_SHORT_BODY = 2**20  # bytes
_FEW_VALUES = 10_000
_T = TypeVar("_T")
_Key = tuple[str, int | None, str | None]  # a model's name, and a version or a label, if any


class RestInterface:
    """TF Serving's REST interface to the models of a repository.

    Args:
        repository: the models.
        metrics: counts requests.
        most_seconds: longest recording accepted.
        worker: reads and writes what is long.

    Example:
        >>> interface = RestInterface(Repository(dict, threads=1), Metrics(), 600.0, worker=None)
    """

    def __init__(
        self, repository: Repository, metrics: Metrics, most_seconds: float, worker: Executor | None
    ) -> None:
        self._repository = repository
        self._metrics = metrics
        self._most_seconds = most_seconds
        self._worker = worker

    def preflight(self, origin: bytes) -> Answer:
        """Answer OPTIONS, which browsers ask with before they let a page of another origin ask.

        As TF Serving by default: without the headers that would let it.
        """
        if not re.search(rb"https?://", origin):
            raise ServingError("FAILED_PRECONDITION", "Origin header is missing in CORS preflight")
        return Answer(b"")

    async def answer(self, method: str, path: str, body: bytes) -> Answer:
        """Answer a request, whose path is as it was sent: escapes, query and all.

        As in TF Serving a query is no query, but a part of the path or of a model's name.
        """
        what, key = _parse(method, path)
        if method == "POST":
            return await self._infer(what, key, body)
        if not key[0]:
            raise invalid("Missing model name in request.")
        if what == "metadata":
            return self._metadata(key)
        return _pretty({"model_version_status": self._repository.status(*key[:2])})

    def _metadata(self, key: _Key) -> Answer:
        with self._repository.use(*key) as model:
            spec = {"name": key[0], "signature_name": "", "version": str(model.number)}
            signatures = {"signature_def": {"signature_def": model.metadata}}
        return _pretty({"model_spec": spec, "metadata": signatures})

    async def _infer(self, what: str, key: _Key, body: bytes) -> Answer:
        """Turn a body into values, tensors, outputs and a body again.

        As in TF Serving, what is wrong with JSON, and with examples, is told before it is known
        whether there is such a model; what is wrong with tensors is told after.
        """
        began = time.perf_counter()
        status, running = "OK", 0.0
        is_long = len(body) > _SHORT_BODY or body.count(b",") > _FEW_VALUES
        document = await self._do(is_long, json_parsing.parse, body)
        name = json_text.signature_name(document)
        serialized = None
        if what != "predict":
            serialized = await self._do(is_long, examples.read, document)
        with self._repository.use(*key) as model:
            try:
                signature = model.signature(name)

                def read() -> tuple[str, Tensors, float]:
                    if serialized is None:
                        form, tensors = json_tensors.predict_request(document, signature.inputs)
                    else:
                        form = what
                        tensors = examples.tensors(
                            serialized, what, signature.method, signature.inputs
                        )
                    seconds = sound_limits.check(tensors, model.description, self._most_seconds)
                    return form, tensors, seconds

                form, tensors, seconds = await self._do(is_long, read)
                document.clear()  # megabytes, not needed while the request waits for its batch
                entered = time.perf_counter()
                outputs = await model.batchers[signature.name].run(tensors, seconds)
                running = time.perf_counter() - entered
                if model.description:
                    _check(outputs)
                many = sum(value.size for value in outputs.values()) > _FEW_VALUES
                return Answer(await self._do(many, json_answers.body, form, outputs))
            except ServingError as error:
                status = error.code
                raise
            finally:
                seconds = time.perf_counter() - began
                self._metrics.record(key[0], what, status, seconds, running)

    async def _do(self, is_long: bool, function: Callable[..., _T], *arguments: Any) -> _T:
        """Call a function, outside the event loop where it would hold it up."""
        if not is_long:
            return function(*arguments)
        return await asyncio.get_running_loop().run_in_executor(self._worker, function, *arguments)


def _parse(method: str, path: str) -> tuple[str, _Key]:
    """Return predict, classify, regress, metadata or status, and of which model."""
    malformed = invalid(f"Malformed request: {method} {path}")
    match = re.fullmatch(_PATHS.get(method, "(?!)"), path, re.IGNORECASE | re.ASCII)
    if match is None:
        raise malformed
    name, version, label, what = match.groups()
    number = None if version is None else int(version[:30])
    if number is not None and number >= 2**63:
        raise invalid(f"Failed to convert version: {version} to numeric.")
    if what is None or not what.islower():  # GET …/METADATA is a status, POST …:PREDICT nothing
        if method == "POST":
            raise malformed
        what = "status"
    return what, (_unescape(name or ""), number, None if label is None else _unescape(label))


def _check(outputs: Tensors) -> None:
    """Raise the first problem that a model of this package has with an instance."""
    for problem in outputs.get("error", ()):
        if problem:
            raise invalid(problem.decode())


def _unescape(text: str) -> str:
    return unquote_to_bytes(text).decode("utf-8", "replace")


def _pretty(value: Any) -> Answer:
    return Answer(orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n")
