"""JSON values as TF Serving speaks of them: strings and bytes, and the words of its errors.

All functions raise `ServingError` in TF Serving's words.
"""

from __future__ import annotations

import json
from typing import Any

import pybase64

from ser_keras.export.serving.tf_serving.status import invalid

LONGEST_QUOTE = 1000  # characters of a value in an error: the request may be megabytes


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
