"""The answer to an HTTP request, and how ASGI sends it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from ser_keras.export.serving.tf_serving import json_answers
from ser_keras.export.serving.tf_serving.status import ServingError

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass
class Answer:
    """A whole answer.

    Example:
        >>> Answer(b'{"models": []}').status
        200
    """

    body: bytes
    status: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)  # others than those of the body
    close: bool = False  # the connection, which is of no further use

    @classmethod
    def of_error(cls, error: ServingError, close: bool = False) -> Answer:
        """Return an error in the form that TF Serving documents."""
        headers = {"retry-after": "1"} if error.http_status == 429 else {}
        body = json_answers.error_body(error.message)
        return cls(body, error.http_status, headers=headers, close=close)

    async def send(self, send: Send, head: bool = False) -> None:
        """Send it; to a HEAD request without its body."""
        headers = {"content-type": self.content_type, "content-length": str(len(self.body))}
        headers |= self.headers | ({"connection": "close"} if self.close else {})
        encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": self.status, "headers": encoded})
        await send({"type": "http.response.body", "body": b"" if head else self.body})
