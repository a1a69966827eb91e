"""The ASGI application: where a request goes, and what happens at the start and at the end."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor

from ser_keras.export.serving.server import request_body
from ser_keras.export.serving.server.allowed_hosts import AllowedHosts
from ser_keras.export.serving.server.answer import Answer, Send
from ser_keras.export.serving.server.memory_budget import COPIES, MemoryBudget, Share
from ser_keras.export.serving.server.page_interface import PageInterface
from ser_keras.export.serving.server.repository import Repository
from ser_keras.export.serving.server.request_body import Receive, Scope
from ser_keras.export.serving.server.rest import RestInterface
from ser_keras.export.serving.tf_serving import metrics
from ser_keras.export.serving.tf_serving.status import ServingError, invalid

BODY_SECONDS = 30.0  # longest time that sending a body may take

# libevent, TF Serving's HTTP server, refuses others before anybody sees their path.
_METHODS = ("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH")

log = logging.getLogger("ser_keras.serving")


class Application:
    """An ASGI application that serves the models of a repository.

    Args:
        repository: the models.
        most_bytes: longest body of a request accepted, in bytes; less where memory is less.
        most_seconds: longest recording accepted, in seconds.
        poll: seconds between two looks for new versions.
        most_memory: bytes that requests may take together (`memory_budget`).
        hosts: names that requests may call the server by, beside those of `allowed_hosts`.

    Example:
        >>> application = Application(Repository(dict, threads=1), 2**26, 600.0)
    """

    def __init__(
        self,
        repository: Repository,
        most_bytes: int,
        most_seconds: float,
        poll: float = 1.0,
        most_memory: int = 2**31,
        hosts: tuple[str, ...] = (),
    ) -> None:
        self._repository = repository
        self._most_bytes = min(most_bytes, most_memory // COPIES)
        self._poll = poll
        self._memory = MemoryBudget(most_memory)
        self._hosts = AllowedHosts(hosts)
        self._metrics = metrics.Metrics()
        # For what would hold up the event loop. One, so that long requests take turns.
        self._worker = ThreadPoolExecutor(1, "long-requests")
        self._rest = RestInterface(repository, self._metrics, most_seconds, self._worker)
        self._page = PageInterface(repository, most_seconds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle what ASGI calls a connection: a request, or the server's life."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            with self._memory.share() as share:
                try:
                    body = await self._read(scope, receive, share)
                except ServingError as error:
                    await Answer.of_error(error, close=True).send(send, scope["method"] == "HEAD")
                    return
                if body is not None:
                    answer = await self._answer(scope, body)
                    await answer.send(send, head=scope["method"] == "HEAD")

    async def _read(self, scope: Scope, receive: Receive, share: Share) -> bytes | None:
        """Read a request's body as it was before it was compressed; None if the client has left."""
        headers = scope["headers"]
        refusal = self._hosts.check(headers)
        body = await request_body.read(
            scope, receive, share, self._most_bytes, BODY_SECONDS, refusal
        )
        if body and any(b"gzip" in value for name, value in headers if name == b"content-encoding"):
            loop = asyncio.get_running_loop()
            body = await loop.run_in_executor(
                self._worker, request_body.inflate, body, self._most_bytes
            )
            share.release()
            share.add(len(body))
        return body

    async def _answer(self, scope: Scope, body: bytes) -> Answer:
        method, path = scope["method"], scope["raw_path"].decode("latin-1")
        query = scope.get("query_string", b"").decode("latin-1")
        whole = f"{path}?{query}" if query else path
        try:
            if method not in _METHODS:
                raise ServingError("UNIMPLEMENTED", f"Method not implemented: {method}")
            if path[:4].lower() == "/v1/":
                if method == "OPTIONS":
                    return self._rest.preflight(dict(scope["headers"]).get(b"origin", b""))
                return await self._rest.answer(method, whole, body)
            if path == metrics.PATH:
                if query:
                    raise invalid(f"Unexpected path: {whole}. Should be {path}")
                return Answer(self._metrics.text().encode(), content_type="text/plain")
            return await self._page.answer(method, path, body)
        except ServingError as error:
            return Answer.of_error(error)
        except Exception:
            log.exception("%s %s", method, whole)
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
        self._worker.shutdown(wait=False, cancel_futures=True)
        await send({"type": "lifespan.shutdown.complete"})
