"""JSON as TF Serving reads and writes it: NaN and infinities are numbers, floats have a point."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import orjson
import pybase64

from ser_keras.export.serving.tf_serving.status import ServingError, invalid

# Values told back in an error are cut here: the request may be megabytes.
LONGEST_VALUE = 1000

# What Python's parser says, and what RapidJSON, TF Serving's, says of the same mistake.
_RAPIDJSON = (
    ("Extra data", "The document root must not be followed by other values."),
    ("Unterminated string", "Missing a closing quotation mark in string."),
    ("Expecting property name", "Missing a name for object member."),
    ("Illegal trailing comma before end of object", "Missing a name for object member."),
    ("Illegal trailing comma", "Invalid value."),
    ("Expecting ':'", "Missing a colon after a name of object member."),
    ("Expecting ','", "Missing a comma or } after an object member."),
    ("Invalid \\escape", "Invalid escape character in string."),
    ("Invalid \\uXXXX", "Incorrect hex digit after \\u escape in string."),
    ("Invalid control character", "Invalid encoding in string."),
)


def parse(body: bytes) -> dict[str, Any]:
    """Read a request.

    Args:
        body: JSON, UTF-8; NaN, Infinity and -Infinity are numbers in it.

    Returns:
        Its object. Text that is not UTF-8 is kept, as surrogate escapes.

    Raises:
        ServingError: INVALID_ARGUMENT, it is not JSON or not an object.
    """
    body = body.removeprefix(b"\xef\xbb\xbf")
    if not body:
        raise invalid("JSON Parse error: The document is empty")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:  # stricter than RapidJSON, which has the last word
        document = _parse_tolerantly(body)
    if not isinstance(document, dict):
        raise invalid("JSON Value: ", describe(document), " Is not object")
    return document


def _parse_tolerantly(body: bytes) -> Any:
    text = body.decode("utf-8", "surrogateescape")
    if not text.strip():
        raise invalid("JSON Parse error: The document is empty. at offset: ", len(body))
    try:
        return json.loads(text, parse_float=_finite, parse_int=_whole)
    except json.JSONDecodeError as error:
        words = next((to for of, to in _RAPIDJSON if error.msg.startswith(of)), "Invalid value.")
        offset = len(text[: error.pos].encode("utf-8", "surrogateescape"))
        raise invalid("JSON Parse error: ", words, " at offset: ", offset) from None
    except RecursionError:
        raise invalid("JSON Parse error: Terminate parsing: nested too deeply.") from None
    except ValueError as error:
        raise invalid("JSON Parse error: ", error) from None


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("Number too big to be stored in double.")
    return number


def _whole(digits: str) -> int | float:
    """Beyond 64 bits a whole number is read as a float, as orjson does."""
    if len(digits) <= len(str(-(2**63))) and -(2**63) <= int(digits) < 2**64:
        return int(digits)
    return _finite(digits)


def describe(value: Any) -> str:
    """A JSON value for an error message, as the pretty printer writes it, cut where it is long."""
    if isinstance(value, float):
        return decimal(np.float64(value))
    try:
        text = _beginning(value)
    except RecursionError:
        text = "..."
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + "..."


def _beginning(value: Any) -> str:
    """A JSON value in text, of which no more is made than will be told."""
    text = ""
    for piece in json.JSONEncoder(indent=4, ensure_ascii=False).iterencode(value):
        text += piece[: LONGEST_VALUE + 1]
        if len(text) > LONGEST_VALUE:
            break
    return text


def kind(value: Any) -> str:
    """The name of a JSON type."""
    if value is None:
        return "Null"
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, dict):
        return "Object"
    if isinstance(value, list):
        return "Array"
    return "String" if isinstance(value, str) else "Number"


def decimal(value: np.floating[Any]) -> str:
    """A float as `WriteDecimal` of json_tensor.cc writes it.

    Six digits where they are enough, or as many as the type needs to be read back, with a point
    unless there is an exponent: 1.0, 0.2, 9e+06, NaN, -Infinity.
    """
    return _decimal(float(value), type(value), 9 if value.dtype.itemsize <= 4 else 17)


def _decimal(value: float, dtype: Any, digits: int) -> str:
    text = f"{value:g}"
    if dtype(text) != value:
        if not math.isfinite(value):
            return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
        text = f"{value:.{digits}g}"
    elif text == "inf" or text == "-inf":
        return "Infinity" if value > 0 else "-Infinity"
    return text if "." in text or "e" in text else text + ".0"


def string(value: bytes) -> str:
    """Bytes as JSON text."""
    return orjson.dumps(value.decode("utf-8", "replace")).decode()


def encode_base64(value: bytes) -> str:
    """Bytes as an object of base64."""
    return f'{{"b64": "{pybase64.b64encode(value).decode()}"}}'


def array(values: np.ndarray, as_bytes: bool) -> str:
    """A tensor of any rank, on one line.

    Args:
        values: bool, integers, floats, or objects that are bytes.
        as_bytes: write strings in base64.

    Raises:
        ServingError: the type has no form in JSON.
    """
    if not values.size:
        return _empty(values.shape)
    flat = _leaves(values, as_bytes)
    for size in reversed(values.shape):
        starts = range(0, len(flat), size)
        flat = ["[" + ", ".join(flat[start : start + size]) + "]" for start in starts]
    return flat[0]


def _empty(shape: tuple[int, ...]) -> str:
    """A tensor without elements."""
    size, rest = shape[0], shape[1:]
    return "[" + ", ".join([_empty(rest)] * size if rest else []) + "]"


def _leaves(values: np.ndarray, as_bytes: bool) -> list[str]:
    kinds = values.dtype.kind
    if kinds == "f":
        if values.dtype == np.float64:
            return [_decimal(value, float, 17) for value in values.ravel().tolist()]
        return [_decimal(value, np.float32, 9) for value in values.ravel().tolist()]
    if kinds in "iu":
        return list(map(str, values.ravel().tolist()))
    if kinds == "b":
        return ["true" if value else "false" for value in values.ravel().tolist()]
    if kinds in "OS":
        write = encode_base64 if as_bytes else string
        return [write(value) for value in values.ravel().tolist()]
    name = {"c8": "complex64", "c16": "complex128"}.get(values.dtype.str[1:], str(values.dtype))
    raise invalid("Failed to write JSON value for tensor type: ", name)


def error(problem: ServingError) -> bytes:
    """The body of an error."""
    return b'{\n    "error": ' + orjson.dumps(_clean(problem.message)) + b"\n}"


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8", "replace")


def members(items: Mapping[str, str] | Iterable[tuple[str, str]], indent: str) -> str:
    """An object, a member a line."""
    pairs = items.items() if isinstance(items, Mapping) else items
    lines = [f"{indent}    {orjson.dumps(name).decode()}: {text}" for name, text in pairs]
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"


def unescape_base64(text: str) -> bytes | None:
    """Decode base64 as `absl::Base64Unescape` does; None where it is not base64.

    White space counts for nothing; padding is complete or absent.
    """
    try:
        return pybase64.b64decode(text, validate=True)
    except ValueError:
        pass
    text = "".join(text.split())
    if not text.endswith("="):
        text += "=" * (-len(text) % 4)
    try:
        return pybase64.b64decode(text, validate=True)
    except ValueError:  # letters of another alphabet, or padding that is not complete
        return None
