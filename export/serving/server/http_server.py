"""uvicorn, as this server needs it: against slow clients, stopped in order, telling its address.

Everything here that reaches into uvicorn's private parts was tested with uvicorn 0.54 on httptools
0.9; setup.cfg bounds both.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from ser_keras.export.serving.tf_serving import json_answers

HEADER_SECONDS = 10.0  # from the connection, or the first byte of a further request, to its body
MOST_HEADER_BYTES = 64 * 1024  # and of trailers, and of chunk extensions
LINGER_SECONDS = 5.0  # that a client may take to read a refusal while it sends
_PART_BYTES = 16 * 1024  # bytes parsed at once
_REQUEST_LINE = re.compile(rb"\w+ \S+ HTTP/1\.\d\r?\n")
_CHUNK_FRAME = 20  # bytes of a chunk that are neither body nor extension
_MOST_GATHERED = 256 * 1024  # bytes of a body, before the application is woken


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
    """A connection that nobody can hold open by sending slowly, or fill with what is no body.

    uvicorn waits for the end of a request's headers for ever, and keeps headers and trailers of any
    size. Of its private parts `flow` and `pipeline` are used, and of the last request, `cycle`, the
    `body`, `disconnected`, `keep_alive`, `message_event`, `response_complete`, `response_started`.
    """

    def connection_made(self, transport: Any) -> None:
        super().connection_made(_LingeringTransport(transport, self._is_sending))  # type: ignore[arg-type]
        self._timer: asyncio.TimerHandle | None = None
        self._in_message = self._is_deaf = False
        self._in_headers = True
        self._part = b""  # that is parsed
        self._overhead = 0  # bytes of the message that are no body
        self._chunks: list[bytes] = []
        self._gathered = 0
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        # In parts, so that what is too long is seen before it is kept.
        for start in range(0, len(data), _PART_BYTES):
            if self._is_deaf or self.transport.is_closing():
                return
            part = data[start : start + _PART_BYTES]
            self._part = part
            self._overhead += len(part)
            super().data_received(part)
            if self._overhead > MOST_HEADER_BYTES:
                self._refuse(431, "the headers, trailers or chunk extensions are too long")

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP; uvicorn's text is not JSON."""
        if _REQUEST_LINE.match(self._part) and isinstance(
            sys.exc_info()[1], httptools.HttpParserInvalidMethodError
        ):
            self._refuse(501, "Method not implemented")
        else:
            self._refuse(400, msg)

    def on_message_begin(self) -> None:
        if self._timer is None:  # a further request on this connection
            self._start_timer()
        self._in_message = self._in_headers = True
        self._overhead = len(self._part)
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_headers:  # trailers are nobody's business
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._stop_timer()  # the body has a limit of its own, in `request_body`
        self._in_headers = False
        super().on_headers_complete()

    def on_chunk_header(self) -> None:
        self._overhead = max(0, self._overhead - _CHUNK_FRAME)

    def on_body(self, body: bytes) -> None:
        # uvicorn would copy the body so far and wake the application for each of its chunks; here
        # they are joined once, unless there are many.
        self._overhead = max(0, self._overhead - len(body))
        if self.cycle.response_complete:
            return
        self._chunks.append(body)
        self._gathered += len(body)
        if self._gathered > _MOST_GATHERED:
            self._hand_over()
            self.flow.pause_reading()
            self.cycle.message_event.set()

    def on_message_complete(self) -> None:
        self._in_message, self._in_headers = False, True
        self._hand_over()
        super().on_message_complete()

    def _hand_over(self) -> None:
        if self._chunks and not self.cycle.response_complete:
            self.cycle.body += b"".join(self._chunks)
        self._chunks, self._gathered = [], 0

    def _is_sending(self) -> bool:
        """Return whether the client is in the middle of a request."""
        return self._in_message

    def _start_timer(self) -> None:
        self._timer = self.loop.call_later(HEADER_SECONDS, self._time_out)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _time_out(self) -> None:
        if self._in_message:
            self._refuse(408, "the request was not sent in time")
        else:
            # A browser connects before it has a request, and would take this for its answer.
            self.transport.close()

    def _refuse(self, status: int, reason: str) -> None:
        """Answer a request that the application cannot have, or cannot have whole, and hang up."""
        self._stop_timer()
        cycle, is_late = self.cycle, not self._in_headers  # the application has the headers
        self._in_message = self._is_deaf = True
        if cycle is not None and not cycle.response_complete:
            if not is_late:  # earlier requests are answered first, and this one is not
                cycle.keep_alive = False
                return
            cycle.disconnected = True
            cycle.message_event.set()
            if self.pipeline or cycle.response_started:
                self.transport.close()
                return
        body = json_answers.error_body(reason)
        self.transport.write(
            STATUS_LINE[status] + b"content-type: application/json\r\ncontent-length: "
            + str(len(body)).encode() + b"\r\nconnection: close\r\n\r\n" + body
        )  # fmt: skip
        self.transport.close()


class _LingeringTransport:
    """A transport that closes in two steps while the client still sends.

    A socket that is closed with bytes unread resets the connection, and the client loses the answer
    that it has not read yet. So only our side is closed at first, and the client's bytes are read
    and forgotten until it has read the answer and hangs up, or for some seconds.
    """

    def __init__(self, transport: Any, is_sending: Callable[[], bool]) -> None:
        self._transport = transport
        self._is_sending = is_sending
        self._is_closing = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        return self._is_closing or self._transport.is_closing()

    def write(self, data: bytes) -> None:
        # uvicorn tells only the last of pipelined requests that their client has left.
        if not self.is_closing():
            self._transport.write(data)

    def pause_reading(self) -> None:
        if not self.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if not self.is_closing():
            self._transport.resume_reading()

    def close(self) -> None:
        if self.is_closing() or not self._is_sending():
            self._transport.close()
            return
        self._is_closing = True
        self._transport.write_eof()
        self._transport.resume_reading()
        asyncio.get_running_loop().call_later(LINGER_SECONDS, self._transport.close)
