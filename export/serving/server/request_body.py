"""The body of an HTTP request, read whole and within limits."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ser_keras.export.serving.server.memory_budget import Share
from ser_keras.export.serving.tf_serving.status import ServingError, invalid

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


async def read(
    scope: Scope,
    receive: Receive,
    share: Share,
    most_bytes: int,
    seconds: float,
    refusal: ServingError | None = None,
) -> bytes | None:
    """Read the body of a request; None where the client has left, and nobody waits for an answer.

    A body that is refused is read to its end and discarded, since most clients read no answer
    before they have sent everything; unless the client waits to be told to go on.

    Args:
        scope: of the request, as ASGI has it.
        receive: ASGI's.
        share: takes the memory of what has been read.
        most_bytes: longest body accepted.
        seconds: longest time that it may take.
        refusal: of the request, whatever its body.

    Raises:
        ServingError: it is refused, too long, or takes too long, or there is no memory for it.

    Example:
        >>> from ser_keras.export.serving.server.memory_budget import MemoryBudget
        >>> async def receive():
        ...     return {"type": "http.request", "body": b"{}"}
        >>> share = Share(MemoryBudget(1000))
        >>> asyncio.run(read({"headers": []}, receive, share, most_bytes=100, seconds=1.0))
        b'{}'
    """
    headers = dict(scope["headers"])
    claimed = headers.get(b"content-length", b"")
    if claimed.isdigit() and int(claimed) > most_bytes:
        refusal = refusal or _too_long(most_bytes)
    if refusal is not None and b"expect" in headers:
        raise refusal
    try:
        return await asyncio.wait_for(_gather(receive, share, most_bytes, refusal), seconds)
    except asyncio.TimeoutError:
        message = f"the request's body was not sent within {seconds:g} s"
        raise ServingError("DEADLINE_EXCEEDED", message, 408) from None


async def _gather(
    receive: Receive, share: Share, most_bytes: int, refusal: ServingError | None
) -> bytes | None:
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        more = message.get("more_body", False)
        if refusal is not None:
            continue
        chunk = message.get("body", b"")
        size += len(chunk)
        try:
            if size > most_bytes:
                raise _too_long(most_bytes)
            share.add(len(chunk))
            chunks.append(chunk)
        except ServingError as error:
            refusal = error
            share.release()
            chunks.clear()
    if refusal is not None:
        raise refusal
    return b"".join(chunks)


def inflate(body: bytes, most_bytes: int) -> bytes:
    """Return what a gzipped body holds.

    Raises:
        ServingError: it is no gzip, or holds more bytes than a body may have.

    Example:
        >>> import gzip
        >>> inflate(gzip.compress(b"{}"), most_bytes=100)
        b'{}'
    """
    inflating = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        found = inflating.decompress(body, most_bytes + 1)
    except zlib.error:
        found = b""
    if len(found) > most_bytes:
        raise _too_long(most_bytes)
    if not inflating.eof or inflating.unused_data:
        # TF Serving, which has read nothing then, says only that the document is empty.
        raise invalid("JSON Parse error: The document is empty: the request's body is not gzipped")
    return found


def _too_long(most_bytes: int) -> ServingError:
    message = f"the request's body is longer than {most_bytes} bytes"
    return ServingError("RESOURCE_EXHAUSTED", message, 413)
