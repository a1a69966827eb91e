"""Errors as TF Serving answers them: a canonical code, its HTTP status, and a message."""

from __future__ import annotations

import re

import tensorflow as tf

# `ToHTTPStatusCode` of TF Serving's http_server.cc.
HTTP_STATUS = {
    "CANCELLED": 499,
    "UNKNOWN": 500,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
}
_NAMES = {number: name for name, number in vars(tf.errors).items() if isinstance(number, int)}

# What TensorFlow says around its own message: where in its graph or in our code it was.
_NODE = re.compile(r"\s*(\[\[|\[Op:|Errors may have originated|Detected at node)")
_PREFACE = re.compile(
    r"^(Graph execution error:|Detected at node .*|<stack traces unavailable>|\s*File \".*|"
    r"\(\d+\) \w+:.*|\d+ root error\(s\) found\..*)?\s*$"
)
_PATH = re.compile(r"(?<![\w.])/(?:[\w.@+-]+/)+[\w.@+-]*")


class ServingError(Exception):
    """A request that cannot be answered.

    Args:
        code: a canonical code's name, a key of `HTTP_STATUS`.
        message: what a client reads; no path and no traceback.
        http_status: where HTTP has a closer word than the code's status.
    """

    def __init__(self, code: str, message: str, http_status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.http_status = http_status or HTTP_STATUS[code]

    def __str__(self) -> str:
        """As `Status::ToString` writes it."""
        return f"{self.code}: {self.message}"


def invalid(*words: object) -> ServingError:
    """The request is wrong; the words are joined as `errors::InvalidArgument` joins them."""
    return ServingError("INVALID_ARGUMENT", "".join(map(str, words)))


def of_tensorflow(error: Exception) -> ServingError:
    """What a model said while it ran, without the places in it."""
    if not isinstance(error, tf.errors.OpError):
        return ServingError("INTERNAL", "the model failed on this request")
    code = _NAMES.get(error.error_code, "UNKNOWN")
    kept = []
    for line in (error.message or "").splitlines():
        if _PREFACE.match(line):
            continue
        found = _NODE.search(line)
        kept.append(line[: found.start()] if found else line)
        if found:
            break
    message = _PATH.sub("...", "\n".join(kept).strip()) or "the model failed on this request"
    return ServingError(code if code in HTTP_STATUS else "UNKNOWN", message)
