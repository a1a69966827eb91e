"""The page to try a model on, and the requests that it sends; TF Serving has neither."""

from __future__ import annotations

import asyncio
import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import orjson
import tensorflow as tf

from ser_keras.corpora.speech_synthesis import SAMPLE_RATE, Manner, Voice, speak
from ser_keras.export.serving.server import pictures, sound_limits, sounds
from ser_keras.export.serving.server.answer import Answer
from ser_keras.export.serving.server.repository import Repository
from ser_keras.export.serving.tf_serving import json_parsing, status, warm_up
from ser_keras.export.serving.tf_serving.json_tensors import Tensors, tensor
from ser_keras.export.serving.tf_serving.status import ServingError, invalid

FOLDER = Path(__file__).parent / "page"
# Everything there is: a path is looked up here, never on the disk.
FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/page/answer.js": ("answer.js", "text/javascript; charset=utf-8"),
    "/page/axes.js": ("axes.js", "text/javascript; charset=utf-8"),
    "/page/drawing.js": ("drawing.js", "text/javascript; charset=utf-8"),
    "/page/elements.js": ("elements.js", "text/javascript; charset=utf-8"),
    "/page/listening.js": ("listening.js", "text/javascript; charset=utf-8"),
    "/page/moments.js": ("moments.js", "text/javascript; charset=utf-8"),
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
_NEVER_KEPT = {"cache-control": "no-store"}

_CALL = re.compile(r"/page/models/([^/:]+):(explain|live|listen)")


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
            if path == "/page/example.wav":
                loop, threads = asyncio.get_running_loop(), self._repository.inference
                return Answer(await loop.run_in_executor(threads, _example), 200, "audio/wav")
        elif method == "POST" and (match := _CALL.fullmatch(path)):
            return await self._call(unquote(match[1]), match[2], body)
        raise ServingError("NOT_FOUND", f"Not found: {method} {path}")

    def _models(self) -> list[dict[str, Any]]:
        """Describe the models that can be shown."""
        shown = []
        for name in self._repository.names():
            with self._repository.use(name) as model:
                if model.explains:
                    picture = pictures.describe(model.description)
                    described = {**model.description, **picture}
                    described.pop("preset")
                    shown.append({**described, "name": name, "version": model.number})
        return shown

    async def _call(self, name: str, what: str, body: bytes) -> Answer:
        """Explain a recording, make sounds of that, or run one window of live sound."""
        with self._repository.use(name) as model:
            function = model.function("live" if what == "live" else "explain")
            if function is None or not model.explains:
                raise ServingError("UNIMPLEMENTED", f"model {name} cannot {what}")
            loop, threads = asyncio.get_running_loop(), self._repository.inference
            inputs: Tensors = {"audio": np.array([body], object)}
            if what == "live":  # megabytes of JSON would hold up the event loop
                size = model.description["state_size"]
                inputs = await loop.run_in_executor(threads, _live_inputs, body, size)
            most = min(self._most_seconds, sounds.MOST_SECONDS if what == "listen" else np.inf)
            seconds = sound_limits.check(inputs, model.description, most)
            describe = functools.partial(pictures.of_instant, model.description)
            if what == "explain":
                describe = functools.partial(
                    pictures.of_recording, model.description, duration=seconds
                )
            elif what == "listen":
                if not pictures.describe(model.description)["heard"]:
                    raise ServingError("UNIMPLEMENTED", f"model {name} cannot be heard")
                describe = functools.partial(
                    sounds.of_recording, model.description, duration=seconds, content=body
                )
            content = await loop.run_in_executor(threads, _run, function, inputs, describe)
            return Answer(content, headers=dict(_NEVER_KEPT))


def _live_inputs(body: bytes, size: int) -> Tensors:
    """Read {"audio": {"b64": a WAV file of one window}, "state": the last answer's, or []}."""
    document = json_parsing.parse(body)
    audio = tensor(document.get("audio"), tf.string).reshape(-1)[:1]
    state = tensor(document.get("state") or [], tf.float32)
    if state.shape not in ((0,), (size,)):
        raise invalid(f"state: expected [{size}] or [], found {list(state.shape)}")
    state = state if state.size else np.zeros(size, np.float32)
    return {"audio": audio, "state": state[np.newaxis]}


def _run(
    function: Callable[..., dict[str, tf.Tensor]],
    inputs: Tensors,
    describe: Callable[[dict[str, Any]], dict[str, Any]],
) -> bytes:
    """Run a function of the model, in a thread, on the one recording; return its answer's JSON."""
    audio = tf.constant(inputs.pop("audio").tolist(), tf.string)
    try:
        outputs = function(audio, *map(tf.constant, inputs.values()))
    except tf.errors.OpError as error:
        raise status.from_tensorflow(error) from None
    described = describe({name: value.numpy()[0] for name, value in outputs.items()})
    texts = {name: value.decode() for name, value in described.items() if isinstance(value, bytes)}
    return orjson.dumps(described | texts, option=orjson.OPT_SERIALIZE_NUMPY)


@functools.cache
def _example() -> bytes:
    """Make a recording to try: angry, as far as a source-filter model can be."""
    voice = Voice(pitch=120, formant_scale=1.0, breathiness=0.05, tempo=4.5, expressiveness=1.0)
    manner = Manner(pitch=4, pitch_range=5, final_pitch=-4, tempo=1.3, level=6, tilt=3)
    return warm_up.wav(speak(voice, manner, 4.0, np.random.default_rng(0)), SAMPLE_RATE)


def _json(value: Any) -> Answer:
    return Answer(orjson.dumps(value), headers=dict(_NEVER_KEPT))
