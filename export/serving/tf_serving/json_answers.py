"""Tensors and errors to JSON text: the writing half of TF Serving's json_tensor.cc.

orjson writes no NaN, and floats in other words than TF Serving: these are written here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
import pybase64

from ser_keras.export.serving.tf_serving.json_tensors import COLUMN, ROW, Tensors
from ser_keras.export.serving.tf_serving.status import invalid


def body(form: str, outputs: Tensors) -> bytes:
    r"""Write the answer to a request, whose form is ROW or COLUMN of :predict, classify or regress.

    Example:
        >>> body("instances", {"y": np.array([1.0, np.nan], np.float32)})
        b'{\n    "predictions": [1.0, NaN]\n}\n'
    """
    if form == "regress":
        values = outputs["outputs"]  # [examples] or [examples, 1]
        return _document("results", _array("outputs", values.reshape(len(values))))
    if form == "classify":
        return _document("results", _classes(outputs))
    if not outputs:
        raise invalid("Cannot convert empty tensor map to JSON")
    names = sorted(outputs)
    count = _row_count(names, outputs) if form == ROW else 0
    if len(names) == 1:
        value = _array(names[0], outputs[names[0]])
    elif form == COLUMN:
        value = _object({name: _array(name, outputs[name]) for name in names}, 4)
    else:
        rows = [
            _object({name: _array(name, outputs[name][row, ...]) for name in names}, 8)
            for row in range(count)
        ]
        value = "[\n        " + ",\n        ".join(rows) + "\n    ]" if rows else "[]"
    return _document("outputs" if form == COLUMN else "predictions", value)


def error_body(message: str) -> bytes:
    r"""Write the body of an error.

    Example:
        >>> error_body("Missing model name in request.")
        b'{\n    "error": "Missing model name in request."\n}'
    """
    # Text that the request brought may hold surrogates, which UTF-8 has not.
    return b'{\n    "error": ' + orjson.dumps(message.encode("utf-8", "replace").decode()) + b"\n}"


def _document(key: str, value: str) -> bytes:
    return (_object({key: value}, 0) + "\n").encode()


def _object(members: Mapping[str, str], indent: int) -> str:
    """Write an object, a member a line."""
    space = " " * indent
    lines = [f"{space}    {orjson.dumps(name).decode()}: {text}" for name, text in members.items()]
    return "{\n" + ",\n".join(lines) + f"\n{space}}}"


def _classes(outputs: Tensors) -> str:
    """Write classes and scores [examples, classes], of which a signature may leave out one."""
    scores, classes = outputs.get("scores"), outputs.get("classes")
    shape = (classes if scores is None else scores).shape  # type: ignore[union-attr]
    shape = (shape[0], shape[-1])
    labels = np.full(shape, b"", object) if classes is None else classes.reshape(shape)
    numbers = np.zeros(shape, np.float32) if scores is None else scores.reshape(shape)
    pairs = zip(_leaves(labels, False), _leaves(numbers, False), strict=True)
    return _nest([f"[{label}, {number}]" for label, number in pairs], shape)


def _row_count(names: list[str], outputs: Tensors) -> int:
    rows = -1
    for name in names:
        shape = outputs[name].shape
        if not shape:
            raise invalid(f"Tensor name: {name} has no shape information ")
        if rows not in (-1, shape[0]):
            raise invalid(
                f"Tensor name: {name} has inconsistent batch size: {shape[0]} expecting: {rows}"
            )
        rows = shape[0]
    return rows


def _array(name: str, values: np.ndarray) -> str:
    """Write a tensor of any rank on one line; a name that ends in _bytes asks for base64."""
    if not values.size:
        return orjson.dumps(values.tolist()).decode().replace(",", ", ")
    return _nest(_leaves(values, name.endswith("_bytes")), values.shape)


def _nest(flat: list[str], shape: tuple[int, ...]) -> str:
    """Join written values, level by level from the innermost, to lists of lists of a shape."""
    for size in reversed(shape):
        starts = range(0, len(flat), size)
        flat = ["[" + ", ".join(flat[start : start + size]) + "]" for start in starts]
    return flat[0]


def _leaves(values: np.ndarray, as_bytes: bool) -> list[str]:
    kind, listed = values.dtype.kind, values.ravel().tolist()
    if kind == "f":
        dtype, digits = (float, 17) if values.dtype == np.float64 else (np.float32, 9)
        return [_decimal(value, dtype, digits) for value in listed]
    if kind in "iu":
        return list(map(str, listed))
    if kind == "b":
        return ["true" if value else "false" for value in listed]
    if kind in "OS":
        return list(map(_base64 if as_bytes else _string, listed))
    # "c8" is what NumPy calls complex64.
    name = {"c8": "complex64", "c16": "complex128"}.get(values.dtype.str[1:], str(values.dtype))
    raise invalid(f"Failed to write JSON value for tensor type: {name}")


def _decimal(value: float, dtype: Any, digits: int) -> str:
    """Write a float as `WriteDecimal` of json_tensor.cc: 1.0, 0.2, 9e+06, NaN, -Infinity.

    Six digits where they are enough, or as many as the type needs to be read back, with a point
    unless there is an exponent.
    """
    text = f"{value:g}"
    if not math.isfinite(value):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[text]
    if dtype(text) != value:
        text = f"{value:.{digits}g}"
    return text if "." in text or "e" in text else text + ".0"


def _string(value: bytes) -> str:
    return orjson.dumps(value.decode("utf-8", "replace")).decode()


def _base64(value: bytes) -> str:
    return f'{{"b64": "{pybase64.b64encode(value).decode()}"}}'
