"""The least of HTTP that the server needs, on ASGI: a whole request, a whole answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from ser_keras.export.serving.tf_serving import json_text
from ser_keras.export.serving.tf_serving.status import ServingError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

JSON = "application/json"


class ClientLeft(Exception):
    """There is nobody to answer."""


@dataclass
class Answer:
    """What is sent back."""

    body: bytes
    status: int = 200
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)
    close: bool = False

    @classmethod
    def of_error(cls, error: ServingError, close: bool = False) -> Answer:
        """The documented body of an error."""
        return cls(json_text.error(error), error.http_status, close=close)

    async def send(self, send: Send, head: bool) -> None:
        """Write it out."""
        headers = {
            "content-type": self.content_type,
            "content-length": str(len(self.body)),
            **self.headers,
        }
        if self.close:
            headers["connection"] = "close"
        encoded = [
            (name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()
        ]
        await send({"type": "http.response.start", "status": self.status, "headers": encoded})
        await send({"type": "http.response.body", "body": b"" if head else self.body})


async def read_body(scope: Scope, receive: Receive, most: int, seconds: float) -> bytes:
    """The body of a request.

    A longer one is read to its end and forgotten, since most clients read no answer before they
    have sent everything; unless the client waits to be told to go on.

    Args:
        scope: ASGI's.
        receive: ASGI's.
        most: bytes.
        seconds: that it may take.

    Raises:
        ServingError: it is too long, or takes too long; the connection is of no further use.
        ClientLeft: the client did not wait.
    """
    headers = dict(scope["headers"])
    claimed = headers.get(b"content-length", b"0")
    if claimed.isdigit() and int(claimed) > most and b"expect" in headers:
        raise _too_long(most)
    try:
        body = await asyncio.wait_for(_gather(receive, most), seconds)
    except asyncio.TimeoutError:
        raise ServingError(
            "DEADLINE_EXCEEDED", f"the request's body was not sent within {seconds:g} s", 408
        ) from None
    if body is None:
        raise _too_long(most)
    return body


def _too_long(most: int) -> ServingError:
    return ServingError(
        "RESOURCE_EXHAUSTED", f"the request's body is longer than {most} bytes", 413
    )


async def _gather(receive: Receive, most: int) -> bytes | None:
    """The body; None of one that is longer, once it has ended."""
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > most:
            chunks.clear()
        else:
            chunks.append(chunk)
        more = message.get("more_body", False)
    return None if size > most else b"".join(chunks)
