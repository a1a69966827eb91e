"""The body of an HTTP request, read whole and within limits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ser_keras.export.serving.tf_serving.status import ServingError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


async def read(scope: Scope, receive: Receive, most_bytes: int, seconds: float) -> bytes | None:
    """Read the body of a request; None where the client has left, and nobody waits for an answer.

    A body that is too long is read to its end and discarded, since most clients read no answer
    before they have sent everything; unless the client waits to be told to go on.

    Raises:
        ServingError: it is too long, or takes too long; the connection is of no further use.

    Example:
        >>> async def receive():
        ...     return {"type": "http.request", "body": b"{}"}
        >>> asyncio.run(read({"headers": []}, receive, most_bytes=100, seconds=1.0))
        b'{}'
    """
    headers = dict(scope["headers"])
    claimed = headers.get(b"content-length", b"")
    if b"expect" in headers and claimed.isdigit() and int(claimed) > most_bytes:
        raise _too_long(most_bytes)
    try:
        return await asyncio.wait_for(_gather(receive, most_bytes), seconds)
    except asyncio.TimeoutError:
        message = f"the request's body was not sent within {seconds:g} s"
        raise ServingError("DEADLINE_EXCEEDED", message, 408) from None


async def _gather(receive: Receive, most_bytes: int) -> bytes | None:
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= most_bytes:
            chunks.append(chunk)
        more = message.get("more_body", False)
    if size > most_bytes:
        raise _too_long(most_bytes)
    return b"".join(chunks)


def _too_long(most_bytes: int) -> ServingError:
    message = f"the request's body is longer than {most_bytes} bytes"
    return ServingError("RESOURCE_EXHAUSTED", message, 413)
