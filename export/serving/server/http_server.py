"""uvicorn, as this server needs it: against slow clients, stopped in order, telling its address.

Everything here that reaches into uvicorn's private parts was tested with uvicorn 0.54 on httptools
0.9; setup.cfg bounds both.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_SECONDS = 10.0  # from the connection, or the first byte of a further request, to its body
MOST_HEADER_BYTES = 64 * 1024
_MOST_GATHERED = 1024 * 1024  # bytes of a body, before the application is woken


class Server(uvicorn.Server):
    """An HTTP server of an ASGI application; port 0 takes a free one.

    Example:
        >>> Server(application=None, host="127.0.0.1", port=0).started
        False
    """

    def __init__(self, application: Any, host: str, port: int) -> None:
        config = uvicorn.Config(
            application, host=host, port=port, http=_GuardedProtocol, ws="none", log_config=None,
            access_log=False, server_header=False, proxy_headers=False, timeout_keep_alive=75,
            timeout_graceful_shutdown=30, backlog=2048,
        )  # fmt: skip
        super().__init__(config)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Print the address, which with port 0 nobody else can know."""
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            print(f"http://{host}:{port}", flush=True)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop in order on Ctrl-C or SIGTERM; a further Ctrl-C does not wait for answers."""
        with super().capture_signals():
            yield
            # uvicorn would raise them again, to kill the process: the exit status of a failure.
            self._captured_signals.clear()


class _GuardedProtocol(HttpToolsProtocol):
    """A connection that nobody can hold open by sending slowly, or fill with headers.

    uvicorn waits for the end of a request's headers for ever. Of its private parts `flow` is used,
    and of the request being answered, `cycle`, the `body`, `message_event`, `response_complete`.
    """

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._timer: asyncio.TimerHandle | None = None
        self._header_bytes = 0
        self._chunks: list[bytes] = []
        self._gathered = 0
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._timer is not None:
            self._header_bytes += len(data)
            if self._header_bytes > MOST_HEADER_BYTES:
                self._refuse(b"431 Request Header Fields Too Large", b"the headers are too long")

    def on_message_begin(self) -> None:
        if self._timer is None:  # a further request on this connection
            self._start_timer()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._stop_timer()  # the body has a limit of its own, in `request_body`
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        # uvicorn would copy the body so far and wake the application for each of its chunks; here
        # they are joined once, unless there are many.
        if self.cycle.response_complete:
            return
        self._chunks.append(body)
        self._gathered += len(body)
        if self._gathered > _MOST_GATHERED:
            self._hand_over()
            self.flow.pause_reading()
            self.cycle.message_event.set()

    def on_message_complete(self) -> None:
        self._hand_over()
        super().on_message_complete()

    def _hand_over(self) -> None:
        if self._chunks and not self.cycle.response_complete:
            self.cycle.body += b"".join(self._chunks)
        self._chunks, self._gathered = [], 0

    def _start_timer(self) -> None:
        timeout = b"408 Request Timeout", b"the request was not sent in time"
        self._timer = self.loop.call_later(HEADER_SECONDS, self._refuse, *timeout)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._header_bytes = 0

    def _refuse(self, status: bytes, reason: bytes) -> None:
        received = self._header_bytes
        self._stop_timer()
        if not received:
            # A browser connects before it has a request, and would take this for its answer.
            self.transport.close()
        elif not self.transport.is_closing():
            body = b'{ "error": "' + reason + b'" }'
            self.transport.write(
                b"HTTP/1.1 " + status + b"\r\nContent-Type: application/json\r\nContent-Length: "
                + str(len(body)).encode() + b"\r\nConnection: close\r\n\r\n" + body
            )  # fmt: skip
            self.transport.close()
