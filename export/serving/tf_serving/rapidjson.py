"""RapidJSON's dialect of JSON and its errors: what a fast parser refuses is read, or refused, here.

TF Serving takes NaN, Inf and Infinity with either sign, lists nested thousands of levels deep, and
text that is not UTF-8. Written without recursion, so that depth costs no stack.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

import orjson

from ser_keras.export.serving.tf_serving.status import invalid

# RapidJSON's depth ends with its thread's stack, and the process with it.
MOST_DEPTH = 10_000

_SPACE = re.compile(rb"[ \t\n\r]*")
_NUMBER = re.compile(rb"-?(?:(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?|NaN|Inf(?:inity)?)")
_WORDS = {b"true": True, b"false": False, b"null": None}
_WORD = re.compile(rb"true|false|null")
_UNFINISHED = {b".": "Miss fraction part in number.", b"e": "Miss exponent in number."}
# The beginning of a message of Python's parser, which reads strings that orjson refuses.
_STRING_ERRORS = {
    "Invalid \\escape": "Invalid escape character in string.",
    "Invalid \\uXXXX": "Incorrect hex digit after \\u escape in string.",
    "Invalid control character": "Invalid encoding in string.",
}


def loads(text: bytes, origin: int = 0) -> Any:
    """Parse a document; bytes that are not UTF-8 become surrogate escapes.

    Args:
        text: the document.
        origin: the offset of its beginning, for errors.

    Raises:
        ServingError: in RapidJSON's words.

    Example:
        >>> loads(b'{"x": [1, -Inf, NaN]}')
        {'x': [1, -inf, nan]}
    """
    try:
        return _loads(text)
    except _SyntaxError as error:
        raise invalid(f"JSON Parse error: {error.reason} at offset: {origin + error.at}") from None


class _SyntaxError(Exception):
    def __init__(self, reason: str, at: int) -> None:
        self.reason, self.at = reason, at


def _loads(text: bytes) -> Any:
    at = _skip(text, 0)
    if at == len(text):
        raise _SyntaxError("The document is empty.", at)
    outermost: list[Any] = []
    stack: list[list[Any] | dict[str, Any]] = [outermost]
    name = ""  # of the member that is read, where the innermost container is an object
    while True:
        # A value begins here.
        opened = None
        if text[at] in b"[{":
            value: Any = [] if text[at] == ord("[") else {}
            at = _skip(text, at + 1)
            if text[at : at + 1] == (b"]" if isinstance(value, list) else b"}"):
                at += 1
            else:
                opened = value
        else:
            value, at = _scalar(text, at)
        innermost = stack[-1]
        if isinstance(innermost, list):
            innermost.append(value)
        else:
            innermost[name] = value
        if opened is not None:
            if len(stack) > MOST_DEPTH:
                raise _SyntaxError(f"Terminate parsing: more than {MOST_DEPTH} levels.", at)
            stack.append(opened)
        else:  # a value has ended: so do containers, up to a comma
            at = _skip(text, at)
            while len(stack) > 1 and text[at : at + 1] != b",":
                in_list = isinstance(stack[-1], list)
                if text[at : at + 1] != (b"]" if in_list else b"}"):
                    where = "] after an array element." if in_list else "} after an object member."
                    raise _SyntaxError(f"Missing a comma or {where}", at)
                stack.pop()
                at = _skip(text, at + 1)
            if len(stack) == 1:
                if at < len(text):
                    reason = "The document root must not be followed by other values."
                    raise _SyntaxError(reason, at)
                return outermost[0]
            at = _skip(text, at + 1)
        if isinstance(stack[-1], dict):
            name, at = _name(text, at)
        if at == len(text):
            raise _SyntaxError("Invalid value.", at)


def _skip(text: bytes, at: int) -> int:
    return _SPACE.match(text, at).end()  # type: ignore[union-attr]  # matches nothing as well


def _name(text: bytes, at: int) -> tuple[str, int]:
    """Read a member's name and the colon behind it; return where its value begins."""
    if text[at : at + 1] != b'"':
        raise _SyntaxError("Missing a name for object member.", at)
    name, at = _string(text, at)
    at = _skip(text, at)
    if text[at : at + 1] != b":":
        raise _SyntaxError("Missing a colon after a name of object member.", at)
    return name, _skip(text, at + 1)


def _scalar(text: bytes, at: int) -> tuple[Any, int]:
    if text[at : at + 1] == b'"':
        return _string(text, at)
    if word := _WORD.match(text, at):
        return _WORDS[word[0]], word.end()
    number = _NUMBER.match(text, at)
    if number is None:
        raise _SyntaxError("Invalid value.", at)
    whole, fraction, exponent = number.groups()
    end = number.end()
    following = text[end : end + 1].lower()
    if whole and following in _UNFINISHED and not exponent and not (fraction and following == b"."):
        raise _SyntaxError(_UNFINISHED[following], end)
    # Beyond 64 bits a whole number is a float. Its length is looked at first: `int` refuses
    # thousands of digits.
    if whole and not fraction and not exponent and len(whole) < 21:
        exact = int(number[0])
        if -(2**63) <= exact < 2**64:
            return exact, end
    value = float(number[0])
    if whole and math.isinf(value):
        raise _SyntaxError("Number too big to be stored in double.", at)
    return value, end


def _string(text: bytes, at: int) -> tuple[str, int]:
    end = string_end(text, at)
    if end is None:
        raise _SyntaxError("Missing a closing quotation mark in string.", len(text))
    token = text[at:end]
    try:
        return orjson.loads(token), end
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(token.decode("utf-8", "surrogateescape")), end
    except json.JSONDecodeError as error:
        reasons = (to for start, to in _STRING_ERRORS.items() if error.msg.startswith(start))
        raise _SyntaxError(next(reasons, "Invalid escape character in string."), at) from None


def string_end(text: bytes, quote: int) -> int | None:
    r"""Return the offset behind the string that begins with a quote, or None where it has no end.

    Example:
        >>> string_end(rb'["a\"b", 1]', 1)
        7
    """
    end = quote
    while (end := text.find(b'"', end + 1)) >= 0:
        before = end
        while text[before - 1] == ord("\\"):
            before -= 1
        if (end - before) % 2 == 0:  # not escaped
            return end + 1
    return None
