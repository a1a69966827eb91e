"""The page to try a model on, and what it asks of the server; none of it exists in TF Serving."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import orjson
import tensorflow as tf

from ser_keras.export.serving.server import sound_limits
from ser_keras.export.serving.server.http import Answer
from ser_keras.export.serving.server.repository import Repository
from ser_keras.export.serving.tf_serving import json_text, status
from ser_keras.export.serving.tf_serving.json_tensors import tensor
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
SAFETY = {
    "content-security-policy": "default-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}
_CALL = re.compile(r"/page/models/([^/:]+):(explain|live)")


class PageInterface:
    """Answers the page.

    Args:
        repository: the models.
        longest_sound: seconds of a recording that are accepted.
    """

    def __init__(self, repository: Repository, longest_sound: float) -> None:
        self._repository = repository
        self._longest_sound = longest_sound

    async def answer(self, method: str, path: str, body: bytes) -> Answer:
        """Answer a request for anything that is not TF Serving's.

        Raises:
            ServingError: NOT_FOUND, there is no such thing; or the sound cannot be used.
        """
        if method in ("GET", "HEAD"):
            if path in FILES:
                name, content_type = FILES[path]
                return Answer((FOLDER / name).read_bytes(), 200, content_type, dict(SAFETY))
            if path == "/page/models":
                return _json(self._models())
        elif method == "POST" and (match := _CALL.fullmatch(path)):
            return await self._call(unquote(match[1]), match[2], body)
        raise ServingError("NOT_FOUND", f"Not found: {method} {path}")

    def _models(self) -> dict[str, Any]:
        """What the page must know of each model that it can show."""
        shown = []
        for name in self._repository.names():
            with self._repository.use(name, None, None) as version:
                servable = version.servable
                if servable is not None and servable.description and servable.function("explain"):
                    description = {
                        key: value for key, value in servable.description.items() if key != "preset"
                    }
                    shown.append({**description, "name": name, "version": version.number})
        return {"models": shown}

    async def _call(self, model: str, what: str, body: bytes) -> Answer:
        """Explain a recording, or one window of live sound.

        Args:
            model: its name.
            what: explain, and the body is a WAV file; live, and it is
                {"audio": {"b64": WAV file}, "state": [what the last answer gave, or []]}.
            body: of the request.
        """
        with self._repository.use(model, None, None) as version:
            function = version.servable and version.servable.function(what)
            if version.servable is None or function is None:
                raise ServingError("UNIMPLEMENTED", f"model {model} cannot {what}")
            arguments = [_sound([body])]
            if what == "live":
                document = json_text.parse(body)
                audio = tensor(document.get("audio"), tf.string)
                state = tensor(document.get("state") or [], tf.float32)
                size = version.servable.description["state_size"]
                if state.shape not in ((0,), (size,)):
                    raise invalid(f"state: expected [{size}] or [], found {list(state.shape)}")
                state = state if state.size else np.zeros(size, np.float32)
                arguments = [_sound(audio.ravel().tolist()[:1]), tf.constant(state[np.newaxis])]
                sound_limits.check_files(audio.ravel(), self._longest_sound)
            else:
                sound_limits.check_files([body], self._longest_sound)
            loop = asyncio.get_running_loop()
            return _json(
                await loop.run_in_executor(self._repository.inference, _run, function, arguments)
            )


def _sound(files: list[bytes]) -> tf.Tensor:
    return tf.constant(files, tf.string)


def _run(function: Any, arguments: list[tf.Tensor]) -> dict[str, Any]:
    """In a thread: the answer to the one recording."""
    try:
        outputs = {name: value.numpy()[0] for name, value in function(*arguments).items()}
    except tf.errors.OpError as error:
        raise status.of_tensorflow(error) from None
    outputs["emotion"] = outputs["emotion"].decode()
    return {
        name: value if isinstance(value, str) else value.tolist() for name, value in outputs.items()
    }


def _json(value: Any) -> Answer:
    return Answer(orjson.dumps(value), headers={"cache-control": "no-store"})
