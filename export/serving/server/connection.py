"""HTTP connections that nobody can hold open by sending slowly, or fill with headers."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEADER_BYTES = 64 * 1024
MOST_GATHERED = 1024 * 1024
HEADER_SECONDS = 10.0


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which by itself waits for the end of a request's headers for ever."""

    header_seconds = HEADER_SECONDS

    def connection_made(self, transport: Any) -> None:
        """A client has come: it has some time to ask."""
        super().connection_made(transport)
        self._timer: asyncio.TimerHandle | None = None
        self._header_bytes = 0
        self._parts: list[bytes] = []
        self._gathered = 0
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """A client has gone."""
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes of a request."""
        super().data_received(data)
        if self._timer is not None:
            self._header_bytes += len(data)
            if self._header_bytes > MOST_HEADER_BYTES:
                self._refuse(b"431 Request Header Fields Too Large", b"the headers are too long")

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        if self._timer is None:
            self._arm()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The body has a time limit of its own, in the application."""
        self._disarm()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of a body: the application is woken once for all of it, unless it is long."""
        if self.cycle.response_complete:
            return
        self._parts.append(body)
        self._gathered += len(body)
        if self._gathered > MOST_GATHERED:
            self._hand_over()
            self.flow.pause_reading()
            self.cycle.message_event.set()

    def on_message_complete(self) -> None:
        """The last part of a body has come."""
        self._hand_over()
        super().on_message_complete()

    def _hand_over(self) -> None:
        """Give the application what was gathered, copied once."""
        if self._parts and not self.cycle.response_complete:
            self.cycle.body += b"".join(self._parts)
        self._parts, self._gathered = [], 0

    def _arm(self) -> None:
        self._timer = self.loop.call_later(
            self.header_seconds,
            lambda: self._refuse(b"408 Request Timeout", b"the request was not sent in time"),
        )

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._header_bytes = 0

    def _refuse(self, status: bytes, reason: bytes) -> None:
        received = self._header_bytes
        self._disarm()
        if not received:
            # A browser connects ahead of its requests, and would take an answer for that of one.
            self.transport.close()
        elif not self.transport.is_closing():
            body = b'{ "error": "' + reason + b'" }'
            self.transport.write(
                b"HTTP/1.1 " + status + b"\r\nContent-Type: application/json\r\nContent-Length: "
                + str(len(body)).encode() + b"\r\nConnection: close\r\n\r\n" + body
            )  # fmt: skip
            self.transport.close()
