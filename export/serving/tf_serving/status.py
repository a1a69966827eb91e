"""Errors as TF Serving answers them: a canonical code, its HTTP status, and a message."""

from __future__ import annotations

import re

import tensorflow as tf

# `ToHTTPStatusCode` of TF Serving's http_server.cc.
_HTTP_STATUS = {
    "CANCELLED": 499, "UNKNOWN": 500, "INVALID_ARGUMENT": 400, "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404, "PERMISSION_DENIED": 403, "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400, "OUT_OF_RANGE": 400, "UNIMPLEMENTED": 501, "INTERNAL": 500,
    "UNAVAILABLE": 503,
}  # fmt: skip
_CODES = {number: name for name, number in vars(tf.errors).items() if isinstance(number, int)}

# TensorFlow wraps its message in locations in its graph and in our code.
_NODE = re.compile(r"\s*(\[\[|\[Op:|Errors may have originated|Detected at node)")
_PREFACE = re.compile(
    r"^(Graph execution error:|Detected at node .*|<stack traces unavailable>|\s*File \".*|"
    r"\(\d+\) \w+:.*|\d+ root error\(s\) found\..*)?\s*$"
)
_PATH = re.compile(r"(?<![\w.])/(?:[\w.@+-]+/)+[\w.@+-]*")


class ServingError(Exception):
    """A request that cannot be answered.

    Args:
        code: a canonical code.
        message: what the client reads; no path and no traceback.
        http_status: where HTTP has one that is more precise than the code's.

    Example:
        >>> ServingError("NOT_FOUND", "Could not find any versions of model x").http_status
        404
    """

    def __init__(self, code: str, message: str, http_status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.http_status = http_status or _HTTP_STATUS[code]

    def __str__(self) -> str:
        """As `Status::ToString` writes it."""
        return f"{self.code}: {self.message}"


def invalid(message: str) -> ServingError:
    """Return the error of a request that is wrong.

    Example:
        >>> str(invalid("Missing model name in request."))
        'INVALID_ARGUMENT: Missing model name in request.'
    """
    return ServingError("INVALID_ARGUMENT", message)


def from_tensorflow(error: Exception) -> ServingError:
    """Return what a model raised while it ran as an error for the client, without locations.

    Example:
        >>> from_tensorflow(tf.errors.InvalidArgumentError(None, None, "no sound [[{{node x}}]]"))
        ServingError('no sound')
    """
    if not isinstance(error, tf.errors.OpError):
        return ServingError("INTERNAL", "the model failed on this request")
    kept = []
    for line in (error.message or "").splitlines():
        if _PREFACE.match(line):
            continue
        node = _NODE.search(line)
        kept.append(line[: node.start()] if node else line)
        if node:
            break
    message = _PATH.sub("...", "\n".join(kept).strip()) or "the model failed on this request"
    code = _CODES.get(error.error_code, "UNKNOWN")
    return ServingError(code if code in _HTTP_STATUS else "UNKNOWN", message)
