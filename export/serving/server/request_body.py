"""The body of an HTTP request, read whole and within limits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ser_keras.export.serving.tf_serving.status import ServingError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


async def read(scope: Scope, receive: Receive, most: int, seconds: float) -> bytes | None:
    """Read the body of a request.

    A body that is too long is read to its end and discarded, since most clients read no answer
    before they have sent everything; unless the client waits to be told to go on.

    Args:
        scope: ASGI's.
        receive: ASGI's.
        most: longest body accepted, in bytes.
        seconds: longest time that sending it may take.

    Returns:
        The body; None where the client closed the connection, and nobody is left to answer.

    Raises:
        ServingError: it is too long, or takes too long; the connection is of no further use.

    Example:
        >>> async def receive():
        ...     return {"type": "http.request", "body": b"{}"}
        >>> asyncio.run(read({"headers": []}, receive, most=100, seconds=1.0))
        b'{}'
    """
    headers = dict(scope["headers"])
    claimed = headers.get(b"content-length", b"")
    if b"expect" in headers and claimed.isdigit() and int(claimed) > most:
        raise _too_long(most)
    try:
        return await asyncio.wait_for(_gather(receive, most), seconds)
    except asyncio.TimeoutError:
        raise ServingError(
            "DEADLINE_EXCEEDED", f"the request's body was not sent within {seconds:g} s", 408
        ) from None


async def _gather(receive: Receive, most: int) -> bytes | None:
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= most:
            chunks.append(chunk)
        more = message.get("more_body", False)
    if size > most:
        raise _too_long(most)
    return b"".join(chunks)


def _too_long(most: int) -> ServingError:
    return ServingError(
        "RESOURCE_EXHAUSTED", f"the request's body is longer than {most} bytes", 413
    )
