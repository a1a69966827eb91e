"""The body of an HTTP request, read whole and within limits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ser_keras.export.serving.tf_serving.status import ServingError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class ClientLeft(Exception):
    """The client closed the connection: there is nobody to answer.

    Example:
        >>> raise ClientLeft
        Traceback (most recent call last):
        ser_keras.export.serving.server.request_body.ClientLeft
    """


async def read(scope: Scope, receive: Receive, most: int, seconds: float) -> bytes:
    """Read the body of a request.

    A body that is too long is read to its end and discarded, since most clients read no answer
    before they have sent everything; unless the client waits to be told to go on.

    Args:
        scope: ASGI's.
        receive: ASGI's.
        most: longest body accepted, in bytes.
        seconds: longest time that sending it may take.

    Raises:
        ServingError: it is too long, or takes too long; the connection is of no further use.
        ClientLeft: the client did not wait.

    Example:
        >>> async def receive():
        ...     return {"type": "http.request", "body": b"{}"}
        >>> asyncio.run(read({"headers": []}, receive, most=100, seconds=1.0))
        b'{}'
    """
    headers = dict(scope["headers"])
    claimed = headers.get(b"content-length", b"0")
    waits = b"expect" in headers
    try:
        if waits and claimed.isdigit() and int(claimed) > most:
            body = None
        else:
            body = await asyncio.wait_for(_gather(receive, most), seconds)
    except asyncio.TimeoutError:
        raise ServingError(
            "DEADLINE_EXCEEDED", f"the request's body was not sent within {seconds:g} s", 408
        ) from None
    if body is None:
        raise ServingError(
            "RESOURCE_EXHAUSTED", f"the request's body is longer than {most} bytes", 413
        )
    return body


async def _gather(receive: Receive, most: int) -> bytes | None:
    """Read to the end of a body; None of one that is too long."""
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
