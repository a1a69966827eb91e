"""The page to try a model on, and the requests that it sends; TF Serving has neither."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import orjson
import tensorflow as tf

from ser_keras.export.serving.server import sound_limits
from ser_keras.export.serving.server.answer import Answer
from ser_keras.export.serving.server.repository import Repository
from ser_keras.export.serving.tf_serving import json_parsing, status
from ser_keras.export.serving.tf_serving.json_tensors import Tensors, tensor
from ser_keras.export.serving.tf_serving.status import ServingError, invalid

FOLDER = Path(__file__).parent / "page"
# Everything there is: a path is looked up here, never on the disk.
FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/page/drawing.js": ("drawing.js", "text/javascript; charset=utf-8"),
    "/page/sound.js": ("sound.js", "text/javascript; charset=utf-8"),
    "/page/recorder.js": ("recorder.js", "text/javascript; charset=utf-8"),
    "/favicon.ico": ("icon.svg", "image/svg+xml"),
}
_SAFETY = {
    "content-security-policy": "default-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}
_CALL = re.compile(r"/page/models/([^/:]+):(explain|live)")


class PageInterface:
    """The page's files, and answers to what it asks.

    Example:
        >>> page = PageInterface(Repository(dict, threads=1), most_seconds=600.0)
        >>> asyncio.run(page.answer("GET", "/", b"")).content_type
        'text/html; charset=utf-8'
    """

    def __init__(self, repository: Repository, most_seconds: float) -> None:
        self._repository = repository
        self._most_seconds = most_seconds

    async def answer(self, method: str, path: str, body: bytes) -> Answer:
        """Answer a request for anything that is not TF Serving's."""
        if method in ("GET", "HEAD"):
            if path in FILES:
                name, content_type = FILES[path]
                return Answer((FOLDER / name).read_bytes(), 200, content_type, dict(_SAFETY))
            if path == "/page/models":
                return _json({"models": self._models()})
        elif method == "POST" and (match := _CALL.fullmatch(path)):
            return await self._call(unquote(match[1]), match[2], body)
        raise ServingError("NOT_FOUND", f"Not found: {method} {path}")

    def _models(self) -> list[dict[str, Any]]:
        """Describe the models that can be shown."""
        shown = []
        for name in self._repository.names():
            with self._repository.use(name) as model:
                if model.description and model.function("explain"):
                    shown.append({**model.description, "name": name, "version": model.number})
                    shown[-1].pop("preset", None)
        return shown

    async def _call(self, name: str, what: str, body: bytes) -> Answer:
        """Explain a recording, or run one window of live sound."""
        with self._repository.use(name) as model:
            function = model.function(what)
            if function is None:
                raise ServingError("UNIMPLEMENTED", f"model {name} cannot {what}")
            loop, threads = asyncio.get_running_loop(), self._repository.inference
            if what == "explain":
                inputs = {"audio": np.array([body], object)}
            else:  # megabytes of JSON would hold up the event loop
                size = model.description["state_size"]
                inputs = await loop.run_in_executor(threads, _live_inputs, body, size)
            sound_limits.check(inputs, model.description, self._most_seconds)
            return _json(await loop.run_in_executor(threads, _run, function, inputs))


def _live_inputs(body: bytes, size: int) -> Tensors:
    """Read {"audio": {"b64": a WAV file of one window}, "state": the last answer's, or []}."""
    document = json_parsing.parse(body)
    audio = tensor(document.get("audio"), tf.string).reshape(-1)[:1]
    state = tensor(document.get("state") or [], tf.float32)
    if state.shape not in ((0,), (size,)):
        raise invalid(f"state: expected [{size}] or [], found {list(state.shape)}")
    state = state if state.size else np.zeros(size, np.float32)
    return {"audio": audio, "state": state[np.newaxis]}


def _run(function: Callable[..., dict[str, tf.Tensor]], inputs: Tensors) -> dict[str, Any]:
    """Run a function of the model, in a thread, on the one recording."""
    audio = tf.constant(inputs.pop("audio").tolist(), tf.string)
    try:
        outputs = function(audio, *map(tf.constant, inputs.values()))
    except tf.errors.OpError as error:
        raise status.from_tensorflow(error) from None
    first = {name: value.numpy()[0] for name, value in outputs.items()}
    return {
        name: value.decode() if isinstance(value, bytes) else value.tolist()
        for name, value in first.items()
    }


def _json(value: Any) -> Answer:
    return Answer(orjson.dumps(value), headers={"cache-control": "no-store"})
