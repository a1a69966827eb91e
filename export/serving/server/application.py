"""The ASGI application: one route for everything, and what happens when it starts and stops."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

from ser_keras.export.serving.server import rest
from ser_keras.export.serving.server.http import Answer, ClientLeft, Receive, Scope, Send, read_body
from ser_keras.export.serving.server.page_interface import PageInterface
from ser_keras.export.serving.server.repository import Repository
from ser_keras.export.serving.server.rest import RestInterface
from ser_keras.export.serving.tf_serving import metrics
from ser_keras.export.serving.tf_serving.status import ServingError

log = logging.getLogger("ser_keras.serving")


@dataclass(frozen=True)
class Limits:
    """What a client may ask for.

    Args:
        body_bytes: of a request.
        body_seconds: that sending it may take.
        sound_seconds: of a recording.
    """

    body_bytes: int = 64 * 2**20
    body_seconds: float = 30.0
    sound_seconds: float = 600.0


class Application:
    """Serves a repository of models.

    Args:
        repository: the models.
        limits: what a client may ask for.
        poll: seconds between looks at the disk.
    """

    def __init__(self, repository: Repository, limits: Limits, poll: float = 1.0) -> None:
        self._repository = repository
        self._limits = limits
        self._poll = poll
        self._metrics = metrics.Metrics()
        self._rest = RestInterface(repository, self._metrics, limits.sound_seconds)
        self._page = PageInterface(repository, limits.sound_seconds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            try:
                answer = await self._answer(scope, receive)
            except ClientLeft:
                return
            await answer.send(send, scope["method"] == "HEAD")

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        method, path = scope["method"], scope["raw_path"].decode("latin-1")
        try:
            wanted = rest.target(method, path) if rest.is_api(path) else None
            try:
                body = await read_body(
                    scope, receive, self._limits.body_bytes, self._limits.body_seconds
                )
            except ServingError as error:
                return Answer.of_error(error, close=True)
            if wanted is not None:
                return await self._rest.answer(wanted, body)
            if path == metrics.PATH:
                return Answer(self._metrics.page().encode(), content_type="text/plain")
            return await self._page.answer(method, path, body)
        except ServingError as error:
            return Answer.of_error(error)
        except ClientLeft:
            raise
        except Exception:
            log.exception("%s %s", method, path)
            return Answer.of_error(ServingError("INTERNAL", "the server failed on this request"))

    async def _live(self, receive: Receive, send: Send) -> None:
        """From start to stop; until the models are loaded, nobody is listened to."""
        await receive()
        try:
            await self._repository.refresh()
        except Exception as error:
            log.exception("cannot start")
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        watching: asyncio.Task[Any] = asyncio.ensure_future(self._repository.watch(self._poll))
        await send({"type": "lifespan.startup.complete"})
        await receive()
        watching.cancel()
        await self._repository.close()
        await send({"type": "lifespan.shutdown.complete"})
