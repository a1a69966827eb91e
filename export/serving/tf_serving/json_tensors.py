"""Requests in JSON to tensors: one half of json_tensor.cc of TF Serving in Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from ser_keras.export.serving.tf_serving import json_text
from ser_keras.export.serving.tf_serving.json_text import describe
from ser_keras.export.serving.tf_serving.status import ServingError, invalid

Tensors = dict[str, np.ndarray]

ROW, COLUMN = "instances", "inputs"
# Lists inside one another: an array of NumPy 1 has 32 dimensions, the instances' among them.
MOST_LEVELS = 31
_INTEGERS = {
    tf.int32: (-(2**31), 2**31 - 1),
    tf.int16: (-(2**31), 2**31 - 1),  # an int_val of the protocol buffer, narrowed afterwards
    tf.int8: (-(2**31), 2**31 - 1),
    tf.uint8: (-(2**31), 2**31 - 1),
    tf.int64: (-(2**63), 2**63 - 1),
    tf.uint32: (0, 2**32 - 1),
    tf.uint64: (0, 2**64 - 1),
}
_FLOATS = {tf.float32: (24, "float"), tf.float64: (53, "double")}
_NAMES = {tf.float32: "float", tf.float64: "double"}


@dataclass(frozen=True)
class PredictRequest:
    """What a client asks of a signature.

    Args:
        form: ROW or COLUMN, which also is the form of the answer.
        tensors: the inputs by name; strings are objects that are bytes.
    """

    form: str
    tensors: Tensors


def signature_name(document: dict[str, Any]) -> str:
    """The signature that a request names; "" for the default one."""
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid(
            "JSON Value: ", describe(document),
            " not formatted correctly. 'signature_name' key must be a string value.",
        )  # fmt: skip
    return name


def predict_request(
    document: dict[str, Any], inputs: Mapping[str, tf.TensorSpec]
) -> PredictRequest:
    """Read the tensors of a :predict request.

    Args:
        document: the request.
        inputs: what the signature takes.

    Raises:
        ServingError: INVALID_ARGUMENT, in TF Serving's words.
    """
    if ROW in document:
        rows = document[ROW]
        if COLUMN in document:
            raise invalid(
                "JSON Value: ", describe(document), " Not formatted correctly expecting only",
                " one of 'inputs' or 'instances' keys to exist ",
            )  # fmt: skip
        if not isinstance(rows, list):
            raise invalid(
                "JSON Value: ", describe(document), " Excepting 'instances' to be an list/array"
            )
        if not rows:
            raise invalid("JSON Value: ", describe(document), " No values in 'instances' array")
        return PredictRequest(ROW, _of_rows(rows, inputs))
    if COLUMN in document:
        return PredictRequest(COLUMN, _of_columns(document[COLUMN], inputs))
    raise invalid("Missing 'inputs' or 'instances' key")


def _of_rows(rows: list[Any], inputs: Mapping[str, tf.TensorSpec]) -> Tensors:
    if not isinstance(rows[0], dict) and len(inputs) > 1:
        raise invalid(
            "instances is a plain list, but expecting list of objects as multiple "
            "input tensors required as per tensorinfo_map"
        )
    objects = _is_element(rows[0])
    gathered = {name: _Rows(spec.dtype) for name, spec in inputs.items()}
    for number, row in enumerate(rows):
        if _is_element(row) != objects:
            wanted = "object but got list" if objects else "value/list but got object"
            raise invalid("Expecting ", wanted, " at item ", number, " of input list")
        if not objects:
            try:
                gathered[next(iter(inputs))].add(row)
            except ServingError as error:
                raise invalid(
                    "Failed to process element: ", number, " of 'instances' list. Error: ", error
                ) from None
            continue
        for name, value in row.items():
            try:
                if name not in gathered:
                    raise invalid("JSON object: does not have named input: ", name)
                gathered[name].add(value)
            except ServingError as error:
                raise invalid(
                    "Failed to process element: ", number, " key: ", name,
                    " of 'instances' list. Error: ", error,
                ) from None  # fmt: skip
        if row.keys() != inputs.keys():
            raise invalid(
                "Failed to process element: ", number, " of 'instances' list. JSON object: ",
                describe(row), " keys must be equal to: ", ",".join(sorted(inputs)),
            )  # fmt: skip
    return {name: column.tensor() for name, column in gathered.items()}


def _of_columns(value: Any, inputs: Mapping[str, tf.TensorSpec]) -> Tensors:
    if not _is_element(value):
        if len(inputs) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple "
                "input tensors required as per tensorinfo_map"
            )
        ((name, spec),) = inputs.items()
        return {name: tensor(value, spec.dtype)}
    found = {}
    for name, spec in inputs.items():
        if name not in value:
            raise invalid("Missing named input: ", name, " in 'inputs' object.")
        found[name] = tensor(value[name], spec.dtype)
    return found


class _Rows:
    """The values of one input, instance after instance."""

    def __init__(self, dtype: tf.DType) -> None:
        self._dtype = dtype
        self._values: list[Any] = []
        self._shape: tuple[int, ...] | None = None
        self._size = 0
        self._count = 0

    def add(self, value: Any) -> None:
        shape = _shape(value)
        before = len(self._values)
        _fill(value, 0, shape, self._dtype, self._values)
        size = len(self._values) - before
        if self._shape is None:
            self._shape, self._size = shape, size
        elif size != self._size:
            raise invalid("Expecting tensor size: ", self._size, " but got: ", size)
        elif shape != self._shape:
            raise invalid("Expecting shape ", _text(self._shape), " but got: ", _text(shape))
        self._count += 1

    def tensor(self) -> np.ndarray:
        assert self._shape is not None  # noqa: S101  # every row has been checked to have each key
        return _array(self._values, (self._count, *self._shape), self._dtype)


def tensor(value: Any, dtype: tf.DType) -> np.ndarray:
    """A nested list of JSON as a tensor."""
    shape = _shape(value)
    flat: list[Any] = []
    _fill(value, 0, shape, dtype, flat)
    return _array(flat, shape, dtype)


def _is_element(value: Any) -> bool:
    """Whether it is an object of names, rather than one of base64."""
    return isinstance(value, dict) and not _is_base64(value)


def _is_base64(value: dict[str, Any]) -> bool:
    return len(value) == 1 and isinstance(value.get("b64"), str)


def _shape(value: Any) -> tuple[int, ...]:
    """The shape that the first element of each level claims.

    Raises:
        ServingError: INVALID_ARGUMENT, there are more than `MOST_LEVELS`.
    """
    shape: list[int] = []
    while isinstance(value, list):
        if len(shape) == MOST_LEVELS:
            raise invalid("Encountered lists nested deeper than ", MOST_LEVELS, " levels")
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return tuple(shape)


def _text(shape: tuple[int, ...]) -> str:
    return "[" + ",".join(map(str, shape)) + "]"


def _fill(value: Any, level: int, shape: tuple[int, ...], dtype: tf.DType, flat: list[Any]) -> None:
    """Append the values of a nested list, which must have the shape."""
    if not isinstance(value, list):
        if level != len(shape):
            raise invalid(
                "JSON Value: ", describe(value), " found at incorrect level: ", level + 1,
                " in the JSON DOM. Expected at level: ", len(shape),
            )  # fmt: skip
        flat.append(_scalar(value, dtype))
        return
    if level >= len(shape):
        raise invalid("Encountered list at unexpected level: ", level, " expected < ", len(shape))
    if len(value) != shape[level]:
        raise invalid(
            "Encountered list at unexpected size: ", len(value), " at level: ", level,
            " expected size: ", shape[level],
        )  # fmt: skip
    # Hundreds of thousands of samples are one list, and are not to be asked one by one what they
    # are. Some of them are whole: JavaScript writes 0.0 as 0.
    if level == len(shape) - 1 and dtype in _FLOATS:
        beyond = 2 ** _FLOATS[dtype][0]
        for item in value:
            if type(item) is float or (type(item) is int and -beyond < item < beyond):
                continue
            _fill(item, level + 1, shape, dtype, [])  # says what is wrong with it
        flat.extend(map(float, value))
        return
    for item in value:
        _fill(item, level + 1, shape, dtype, flat)


def _scalar(value: Any, dtype: tf.DType) -> Any:
    if dtype == tf.string:
        return _bytes(value)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if dtype in _FLOATS and number:
        digits, name = _FLOATS[dtype]
        # A whole number beyond 64 bits has been read as a float.
        if isinstance(value, int) and -(2**63) <= value < 2**64 and abs(value) >= 2**digits:
            raise _lossy(value, name)
        return float(value)
    if dtype in _INTEGERS and isinstance(value, int) and number:
        least, most = _INTEGERS[dtype]
        if least <= value <= most:
            return value
    if dtype == tf.bool and isinstance(value, bool):
        return value
    if dtype not in _FLOATS and dtype not in _INTEGERS and dtype != tf.bool:
        raise ServingError(
            "UNIMPLEMENTED",
            f"Conversion of JSON Value: {describe(value)} to type: {type_name(dtype)}",
        )
    raise _type_error(value, dtype)


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        try:
            return value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            raise invalid("JSON Parse error: The surrogate pair in string is invalid.") from None
    if not isinstance(value, dict):
        raise _type_error(value, tf.string)
    if not _is_base64(value):
        raise invalid("JSON Value: ", describe(value), " not formatted correctly for base64 data")
    decoded = json_text.unescape_base64(value["b64"])
    if decoded is None:
        raise invalid("Unable to base64 decode")
    return decoded


def _array(flat: list[Any], shape: tuple[int, ...], dtype: tf.DType) -> np.ndarray:
    if dtype == tf.string:
        strings = np.empty(len(flat), object)
        strings[:] = flat
        return strings.reshape(shape)
    if dtype == tf.float32:
        doubles = np.array(flat, np.float64)
        beyond = np.isfinite(doubles) & (np.abs(doubles) > np.finfo(np.float32).max)
        if beyond.any():
            raise _lossy(flat[int(beyond.argmax())], "float")
        return doubles.astype(np.float32).reshape(shape)
    wide = {"i": np.int64, "u": np.uint64 if dtype == tf.uint64 else np.int64}
    kind = np.dtype(dtype.as_numpy_dtype).kind
    return np.array(flat, wide.get(kind)).astype(dtype.as_numpy_dtype).reshape(shape)


def type_name(dtype: tf.DType) -> str:
    """As `DataTypeString` names a type."""
    return _NAMES.get(dtype, dtype.name)


def _type_error(value: Any, dtype: tf.DType) -> ServingError:
    return invalid(
        "JSON Value: ", describe(value), " Type: ", json_text.kind(value),
        " is not of expected type: ", type_name(dtype),
    )  # fmt: skip


def _lossy(value: Any, target: str) -> ServingError:
    return invalid(
        "Cannot convert JSON value: ", describe(value), " to ", target,
        " without loss of precision.",
    )  # fmt: skip
