"""The ASGI application: where a request goes, and what happens at the start and at the end."""

from __future__ import annotations

import asyncio
import logging

from ser_keras.export.serving.server import request_body
from ser_keras.export.serving.server.answer import Answer, Send
from ser_keras.export.serving.server.page_interface import PageInterface
from ser_keras.export.serving.server.repository import Repository
from ser_keras.export.serving.server.request_body import Receive, Scope
from ser_keras.export.serving.server.rest import RestInterface
from ser_keras.export.serving.tf_serving import metrics
from ser_keras.export.serving.tf_serving.status import ServingError

BODY_SECONDS = 30.0  # longest time that sending a body may take

log = logging.getLogger("ser_keras.serving")


class Application:
    """An ASGI application that serves the models of a repository.

    Args:
        repository: the models.
        most_bytes: longest body of a request accepted, in bytes.
        most_seconds: longest recording accepted, in seconds.
        poll: seconds between two looks for new versions.

    Example:
        >>> application = Application(Repository(dict, threads=1), 2**26, 600.0)
    """

    def __init__(
        self, repository: Repository, most_bytes: int, most_seconds: float, poll: float = 1.0
    ) -> None:
        self._repository = repository
        self._most_bytes = most_bytes
        self._poll = poll
        self._metrics = metrics.Metrics()
        self._rest = RestInterface(repository, self._metrics, most_seconds)
        self._page = PageInterface(repository, most_seconds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle what ASGI calls a connection: a request, or the server's life."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            try:
                body = await request_body.read(scope, receive, self._most_bytes, BODY_SECONDS)
            except ServingError as error:
                await Answer.of_error(error, close=True).send(send)
                return
            if body is not None:
                method, path = scope["method"], scope["raw_path"].decode("latin-1")
                answer = await self._answer(method, path, body)
                await answer.send(send, head=method == "HEAD")

    async def _answer(self, method: str, path: str, body: bytes) -> Answer:
        try:
            if path[:4].lower() == "/v1/":
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
