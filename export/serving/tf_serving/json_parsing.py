"""The text of a request's body to Python values, within limits, and never holding Python for long.

orjson is fast, and no other thread runs while it works: a minute of numbers would stop the server.
So a long text is cut at commas into pieces that are parsed one by one, and other threads run
between them. What orjson refuses, `rapidjson` reads: NaN in one piece costs the time of that piece.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from ser_keras.export.serving.tf_serving import rapidjson
from ser_keras.export.serving.tf_serving.json_text import describe
from ser_keras.export.serving.tf_serving.status import ServingError, invalid

# A value takes up to 32 bytes in memory, and a list or object up to 240.
MOST_VALUES = 2**22
MOST_CONTAINERS = 2**19
PIECE = 2**16  # bytes, more where a string is longer
_FEW = 1000  # values; a megabyte of a few long strings, as of recordings, takes no time to parse

_STRUCTURE = re.compile(rb'["\[\]{}]')
_WINDOW = 2**18  # bytes searched at once
# The name, in the next piece, of the member that a cut has left open: nobody can guess it.
_CONTINUED = secrets.token_hex(16)


def parse(body: bytes) -> dict[str, Any]:
    """Parse the body of a request, in which NaN, Infinity and -Infinity are numbers.

    Bytes that are not UTF-8 are kept as surrogate escapes. As for RapidJSON, a text ends at its
    first NUL.

    Raises:
        ServingError: the body is no JSON object, or has too many values.

    Example:
        >>> parse(b'{"instances": [1, NaN]}')
        {'instances': [1, nan]}
    """
    if not body:
        raise invalid("JSON Parse error: The document is empty")
    text = body.removeprefix(b"\xef\xbb\xbf")
    origin = len(body) - len(text)
    text = text.partition(b"\0")[0] if b"\0" in text else text
    if len(text) > MOST_CONTAINERS:  # a shorter one cannot have too many of anything
        _check_size(text)
    is_short = len(text) <= PIECE or (len(text) <= 16 * PIECE and text.count(b",") <= _FEW)
    document = _parse_short(text, origin) if is_short else _parse_long(text, origin)
    if not isinstance(document, dict):
        raise invalid(f"JSON Value: {describe(document)} Is not object")
    return document


def _check_size(text: bytes) -> None:
    """Refuse what would take too much memory as Python values, by counting their delimiters."""
    values, containers = 1, 0
    for start in range(0, len(text), _WINDOW):
        part = text[start : start + _WINDOW]
        values += part.count(b",")
        containers += part.count(b"[") + part.count(b"{")
        for count, most, what in (
            (values, MOST_VALUES, "values"),
            (containers, MOST_CONTAINERS, "lists and objects"),
        ):
            if count > most:
                message = f"the request's body has more than {most} {what}"
                raise ServingError("RESOURCE_EXHAUSTED", message, 413)


def _parse_short(text: bytes, origin: int) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return rapidjson.loads(text, origin)


def _parse_long(text: bytes, origin: int) -> Any:
    document: Any = None
    for piece in _cut(text):
        value = _parse_short(piece.text, origin + piece.origin)
        if piece.path is None:
            document = value
        else:
            _join(document, value, piece.path)
    return document


@dataclass
class _Piece:
    text: bytes  # made a document of its own: containers that are open around it are closed
    origin: int  # where it would begin in the whole text
    # Of the containers open where it begins, outermost first: the name of an object's member that
    # is open, None of a list. The innermost is continued. None of the first piece.
    path: list[str | None] | None


@dataclass
class _Container:
    is_list: bool
    name: str = ""  # of an object's member that is open


def _cut(text: bytes) -> Iterator[_Piece]:
    """Cut a text at commas between values, outside strings.

    Text that is no JSON has a piece that is none.
    """
    stack: list[_Container] = []
    path: list[str | None] | None = None
    start, opening = 0, b""  # of the piece
    at, name = 0, (0, 0)
    while at < len(text):
        found = _STRUCTURE.search(text, at, at + _WINDOW)
        gap = found.start() if found else min(at + _WINDOW, len(text))
        while stack and (comma := text.find(b",", max(at, start + PIECE), gap)) >= 0:
            if _is_between_values(text, comma):
                closing = b"".join(b"]" if one.is_list else b"}" for one in reversed(stack))
                yield _Piece(opening + text[start:comma] + closing, start - len(opening), path)
                opening, path = _reopen(stack)
                start = comma + 1
            at = comma + 1
        at = gap
        if found is None:
            continue
        if found[0] == b'"':
            at = rapidjson.string_end(text, gap) or len(text)
            name = gap, at
            continue
        at = gap + 1
        if found[0] in b"[{":
            if stack and not stack[-1].is_list:
                stack[-1].name = str(_parse_short(text[slice(*name)], name[0]))
            stack.append(_Container(found[0] == b"["))
        elif stack:
            stack.pop()
    yield _Piece(opening + text[start:], start - len(opening), path)


def _is_between_values(text: bytes, comma: int) -> bool:
    """Return whether there is a value on both sides: no cut may hide that one is missing."""
    before, after = comma - 1, comma + 1
    while before > 0 and text[before] in b" \t\n\r":
        before -= 1
    while after < len(text) and text[after] in b" \t\n\r":
        after += 1
    return text[before] not in b"[{,:" and text[after : after + 1] not in (b"]", b"}", b",", b"")


def _reopen(stack: list[_Container]) -> tuple[bytes, list[str | None]]:
    """Return what opens the containers of a stack again, and their path."""
    *outer, innermost = stack
    member = b'{"' + _CONTINUED.encode() + b'":'
    opening = b"".join(b"[" if one.is_list else member for one in outer)
    path = [None if one.is_list else one.name for one in stack]
    return opening + (b"[" if innermost.is_list else b"{"), path


def _join(whole: Any, part: Any, path: list[str | None]) -> None:
    """Add to a document the piece that follows."""
    for name in path[:-1]:
        if name is None:
            inner = whole[-1], part.pop(0)
            whole.extend(part)
        else:
            inner = whole[name], part.pop(_CONTINUED)
            whole.update(part)
        whole, part = inner
    whole.extend(part) if isinstance(whole, list) else whole.update(part)
