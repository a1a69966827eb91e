"""JSON text to Python values, and Python values in the words of an error.

TF Serving parses with RapidJSON, which takes NaN, Infinity and text that is not UTF-8. orjson is
fast and refuses these; Python's parser, which takes them, reads what orjson refused, and its errors
are told in RapidJSON's words. All functions raise `ServingError` in TF Serving's words.
"""

from __future__ import annotations

import json
import math
from typing import Any

import orjson
import pybase64

from ser_keras.export.serving.tf_serving.status import invalid

LONGEST_QUOTE = 1000  # characters of a value in an error: the request may be megabytes

# The beginning of Python's message, and RapidJSON's message for the same mistake.
_RAPIDJSON = {
    "Extra data": "The document root must not be followed by other values.",
    "Unterminated string": "Missing a closing quotation mark in string.",
    "Expecting property name": "Missing a name for object member.",
    "Illegal trailing comma before end of object": "Missing a name for object member.",
    "Illegal trailing comma": "Invalid value.",
    "Expecting ':'": "Missing a colon after a name of object member.",
    "Expecting ','": "Missing a comma or } after an object member.",
    "Invalid \\escape": "Invalid escape character in string.",
    "Invalid \\uXXXX": "Incorrect hex digit after \\u escape in string.",
    "Invalid control character": "Invalid encoding in string.",
}


def parse(body: bytes) -> dict[str, Any]:
    """Parse the body of a request, in which NaN, Infinity and -Infinity are numbers.

    Bytes that are not UTF-8 are kept as surrogate escapes.

    Example:
        >>> parse(b'{"instances": [1, NaN]}')
        {'instances': [1, nan]}
    """
    body = body.removeprefix(b"\xef\xbb\xbf")
    if not body:
        raise invalid("JSON Parse error: The document is empty")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = _parse_tolerantly(body)
    if not isinstance(document, dict):
        raise invalid(f"JSON Value: {describe(document)} Is not object")
    return document


def _parse_tolerantly(body: bytes) -> Any:
    text = body.decode("utf-8", "surrogateescape")
    if not text.strip():
        raise invalid(f"JSON Parse error: The document is empty. at offset: {len(body)}")
    try:
        return json.loads(text, parse_float=_finite, parse_int=_whole)
    except json.JSONDecodeError as error:
        words = (to for start, to in _RAPIDJSON.items() if error.msg.startswith(start))
        offset = len(text[: error.pos].encode("utf-8", "surrogateescape"))
        raise invalid(
            f"JSON Parse error: {next(words, 'Invalid value.')} at offset: {offset}"
        ) from None
    except RecursionError:
        raise invalid("JSON Parse error: Terminate parsing: nested too deeply.") from None
    except ValueError as error:
        raise invalid(f"JSON Parse error: {error}") from None


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("Number too big to be stored in double.")
    return number


def _whole(digits: str) -> int | float:
    # Beyond 64 bits a whole number is a float, as orjson reads it. The length is looked at first:
    # `int` refuses thousands of digits.
    if len(digits) <= len(str(-(2**63))) and -(2**63) <= int(digits) < 2**64:
        return int(digits)
    return _finite(digits)


def signature_name(document: dict[str, Any]) -> str:
    """Return the signature that a request names; "" for the default one.

    Example:
        >>> signature_name({"signature_name": "step", "instances": []})
        'step'
    """
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid(
            f"JSON Value: {describe(document)} not formatted correctly. 'signature_name' key must "
            "be a string value."
        )
    return name


def is_base64(value: Any) -> bool:
    """Return whether a JSON value is {"b64": TEXT}, which stands for bytes.

    Example:
        >>> is_base64({"b64": "QQ=="}), is_base64("QQ==")
        (True, False)
    """
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def to_bytes(value: Any) -> bytes | None:
    """Return the bytes of a string or of {"b64": TEXT}; None of any other value.

    Example:
        >>> to_bytes("A"), to_bytes({"b64": "QQ"})
        (b'A', b'A')
    """
    if isinstance(value, str):
        try:
            return value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            raise invalid("JSON Parse error: The surrogate pair in string is invalid.") from None
    return _decode_base64(value["b64"]) if is_base64(value) else None


def _decode_base64(text: str) -> bytes:
    """Decode as `absl::Base64Unescape` does: white space is skipped, padding complete or absent."""
    try:
        return pybase64.b64decode(text, validate=True)
    except ValueError:
        text = "".join(text.split())
    if not text.endswith("="):
        text += "=" * (-len(text) % 4)
    try:
        return pybase64.b64decode(text, validate=True)
    except ValueError:
        raise invalid("Unable to base64 decode") from None


def describe(value: Any) -> str:
    """Quote a JSON value in an error, as RapidJSON's pretty writer prints it.

    Example:
        >>> describe("hello"), describe(1.0)
        ('"hello"', '1.0')
    """
    text = ""
    try:
        # Token by token: of megabytes no more is written than will be told.
        for token in json.JSONEncoder(indent=4, ensure_ascii=False).iterencode(value):
            text += token[: LONGEST_QUOTE + 1]
            if len(text) > LONGEST_QUOTE:
                text = text[:LONGEST_QUOTE] + "..."
                break
    except RecursionError:
        text = "..."
    return text.encode("utf-8", "replace").decode()


def kind(value: Any) -> str:
    """Return TF Serving's name of a JSON value's type.

    Example:
        >>> [kind(value) for value in (None, True, 1.5, [])]
        ['Null', 'True', 'Number', 'Array']
    """
    if isinstance(value, bool):
        return str(value)
    names = {"NoneType": "Null", "dict": "Object", "list": "Array", "str": "String"}
    return names.get(type(value).__name__, "Number")
