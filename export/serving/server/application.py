"""The ASGI application: where a request goes, and what happens at the start and at the end."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from ser_keras.export.serving.server import request_body, rest
from ser_keras.export.serving.server.answer import Answer, Send
from ser_keras.export.serving.server.page_interface import PageInterface
from ser_keras.export.serving.server.repository import Repository
from ser_keras.export.serving.server.request_body import ClientLeft, Receive, Scope
from ser_keras.export.serving.server.rest import RestInterface
from ser_keras.export.serving.tf_serving import metrics
from ser_keras.export.serving.tf_serving.status import ServingError

log = logging.getLogger("ser_keras.serving")


@dataclass(frozen=True)
class Limits:
    """The most that a client may send.

    Args:
        body_bytes: longest body of a request, in bytes.
        body_seconds: longest time that sending it may take.
        sound_seconds: longest recording, in seconds.

    Example:
        >>> Limits(sound_seconds=60.0).body_bytes
        67108864
    """

    body_bytes: int = 64 * 2**20
    body_seconds: float = 30.0
    sound_seconds: float = 600.0


class Application:
    """An ASGI application that serves the models of a repository.

    Args:
        repository: the models.
        limits: the most that a client may send.
        poll: seconds between two looks for new versions.

    Example:
        >>> application = Application(Repository(dict, threads=1), Limits())
    """

    def __init__(self, repository: Repository, limits: Limits, poll: float = 1.0) -> None:
        self._repository = repository
        self._limits = limits
        self._poll = poll
        self._metrics = metrics.Metrics()
        self._rest = RestInterface(repository, self._metrics, limits.sound_seconds)
        self._page = PageInterface(repository, limits.sound_seconds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a connection of ASGI: a request, or the server's life from start to end."""
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
        limits = self._limits
        try:
            body = await request_body.read(scope, receive, limits.body_bytes, limits.body_seconds)
        except ServingError as error:
            return Answer.of_error(error, close=True)
        try:
            if rest.is_api(path):
                return await self._rest.answer(method, path, body)
            if path == metrics.PATH:
                return Answer(self._metrics.text().encode(), content_type="text/plain")
            return await self._page.answer(method, path, body)
        except ServingError as error:
            return Answer.of_error(error)
        except Exception:
            log.exception("%s %s", method, path)
            return Answer.of_error(ServingError("INTERNAL", "the server failed on this request"))

    async def _live(self, receive: Receive, send: Send) -> None:
        """Load the models before anybody is answered; unload them after everybody is."""
        await receive()
        try:
            await self._repository.refresh()
        except Exception as error:
            log.exception("cannot start")
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        watching = asyncio.ensure_future(self._repository.watch(self._poll))
        await send({"type": "lifespan.startup.complete"})
        await receive()
        watching.cancel()
        await self._repository.close()
        await send({"type": "lifespan.shutdown.complete"})
