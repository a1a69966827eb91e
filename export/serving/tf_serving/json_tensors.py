"""JSON values to tensors: the reading half of TF Serving's json_tensor.cc.

All functions raise `ServingError` in TF Serving's words.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from ser_keras.export.serving.tf_serving import json_text
from ser_keras.export.serving.tf_serving.json_text import describe
from ser_keras.export.serving.tf_serving.status import ServingError, invalid

Tensors = dict[str, np.ndarray]  # by name; strings are arrays of objects that are bytes
Inputs = Mapping[str, tf.TensorSpec]

ROW, COLUMN = "instances", "inputs"  # the two forms of a request, by their keys
# Of nested lists: NumPy has 64 dimensions (1.x: 32), the instances' among them; TF Serving 254.
MOST_LEVELS = 31 if np.__version__.startswith("1.") else 63

# The whole numbers that each type takes. TF Serving reads the short types as an int_val of the
# protocol buffer and narrows it afterwards. Floats take any number, as the nearest that they hold.
_WHOLE = dict.fromkeys((tf.int8, tf.uint8, tf.int16, tf.int32), range(-(2**31), 2**31)) | {
    tf.uint32: range(2**32),
    tf.int64: range(-(2**63), 2**63),
    tf.uint64: range(2**64),
    tf.float32: range(-(2**63), 2**64),
    tf.float64: range(-(2**63), 2**64),
}
_PART = 2**16  # values converted at once
_MULTIPLE = "as multiple input tensors required as per tensorinfo_map"
_FLOATS = {tf.float32: "float", tf.float64: "double"}


def predict_request(document: dict[str, Any], inputs: Inputs) -> tuple[str, Tensors]:
    """Return the form of a :predict request and of its answer, ROW or COLUMN, and its tensors.

    Example:
        >>> predict_request({"instances": [1, 2.5]}, {"x": tf.TensorSpec([None], tf.float32)})
        ('instances', {'x': array([1. , 2.5], dtype=float32)})
    """
    if ROW in document and COLUMN in document:
        raise invalid(
            f"JSON Value: {describe(document)} Not formatted correctly expecting only one of "
            "'inputs' or 'instances' keys to exist "
        )
    if ROW in document:
        rows = document[ROW]
        if not isinstance(rows, list):
            raise invalid(
                f"JSON Value: {describe(document)} Excepting 'instances' to be an list/array"
            )
        if not rows:
            raise invalid(f"JSON Value: {describe(document)} No values in 'instances' array")
        form, tensors = ROW, _from_rows(rows, inputs)
    elif COLUMN in document:
        form, tensors = COLUMN, _from_columns(document[COLUMN], inputs)
    else:
        raise invalid("Missing 'inputs' or 'instances' key")
    check_shapes(tensors, inputs)
    return form, tensors


def check_shapes(tensors: Tensors, inputs: Inputs) -> None:
    """Refuse tensors of other shapes than a signature takes.

    Example:
        >>> check_shapes({"x": np.zeros(3)}, {"x": tf.TensorSpec([None])})
    """
    for name, spec in inputs.items():
        found = tensors[name].shape
        if not spec.shape.is_compatible_with(found):
            expected = tuple("?" if size is None else size for size in spec.shape.as_list())
            raise invalid(f"input {name}: expected shape {_text(expected)}, found {_text(found)}")


def tensor(value: Any, dtype: tf.DType) -> np.ndarray:
    """Read a nested list as a tensor.

    Example:
        >>> tensor([[1, 2], [3, 4]], tf.int32).shape
        (2, 2)
    """
    shape, flat = _flatten(value, dtype)
    return _array(flat, shape, dtype)


def _from_rows(rows: list[Any], inputs: Inputs) -> Tensors:
    """Stack instances: objects with a member for every input, or values of the only input."""
    named = _is_named(rows[0])
    if not named and len(inputs) > 1:
        raise invalid(f"instances is a plain list, but expecting list of objects {_MULTIPLE}")
    only = next(iter(inputs), "")
    shapes: dict[str, tuple[int, ...]] = {}  # of the first instance, which all others must have
    columns: dict[str, list[Any]] = {name: [] for name in inputs}
    for number, row in enumerate(rows):
        if _is_named(row) != named:
            wanted = "object but got list" if named else "value/list but got object"
            raise invalid(f"Expecting {wanted} at item {number} of input list")
        for name, value in row.items() if named else ((only, row),):
            try:
                if name not in inputs:
                    raise invalid(f"JSON object: does not have named input: {name}")
                shape, flat = _flatten(value, inputs[name].dtype)
                _check_same(shape, shapes.setdefault(name, shape))
                columns[name] += flat
            except ServingError as error:
                key = f" key: {name}" if named else ""
                raise invalid(
                    f"Failed to process element: {number}{key} of 'instances' list. Error: {error}"
                ) from None
        if named and row.keys() != inputs.keys():
            raise invalid(
                f"Failed to process element: {number} of 'instances' list. JSON object: "
                f"{describe(row)} keys must be equal to: {','.join(sorted(inputs))}"
            )
    return {
        name: _array(columns[name], (len(rows), *shapes[name]), spec.dtype)
        for name, spec in inputs.items()
    }


def _check_same(shape: tuple[int, ...], first: tuple[int, ...]) -> None:
    size, expected = math.prod(shape), math.prod(first)
    if size != expected:
        raise invalid(f"Expecting tensor size: {expected} but got: {size}")
    if shape != first:
        raise invalid(f"Expecting shape {_text(first)} but got: {_text(shape)}")


def _from_columns(value: Any, inputs: Inputs) -> Tensors:
    """Read an object with a member for every input, or the value of the only input."""
    if not _is_named(value):
        if len(inputs) > 1:
            raise invalid(f"inputs is a plain value/list, but expecting an object {_MULTIPLE}")
        value = dict.fromkeys(inputs, value)
    for name in inputs:
        if name not in value:
            raise invalid(f"Missing named input: {name} in 'inputs' object.")
    return {name: tensor(value[name], spec.dtype) for name, spec in inputs.items()}


def _is_named(value: Any) -> bool:
    """Return whether a value is an object whose members are inputs, rather than base64."""
    return isinstance(value, dict) and not json_text.is_base64(value)


def _flatten(value: Any, dtype: tf.DType) -> tuple[tuple[int, ...], list[Any]]:
    """Return the shape of a nested list, and its values in order; strings as bytes."""
    # The first element of each level claims a shape, which all others must have.
    shape: tuple[int, ...] = ()
    first = value
    while isinstance(first, list):
        if len(shape) == MOST_LEVELS:
            raise invalid(f"Encountered lists nested deeper than {MOST_LEVELS} levels")
        shape += (len(first),)
        first = first[0] if first else None
    flat = [value]
    for level, size in enumerate(shape):
        for item in flat:
            if not isinstance(item, list):
                raise invalid(
                    f"JSON Value: {describe(item)} found at incorrect level: {level + 1} in the "
                    f"JSON DOM. Expected at level: {len(shape)}"
                )
            if len(item) != size:
                raise invalid(
                    f"Encountered list at unexpected size: {len(item)} at level: {level} "
                    f"expected size: {size}"
                )
        flat = list(itertools.chain.from_iterable(flat))
    if dtype == tf.string:
        found = list(map(json_text.to_bytes, flat))
        if None in found:
            raise _refusal(flat[found.index(None)], len(shape), dtype)
        return shape, found
    # A second of sound is thousands of values: no function is called for each of them. Whole
    # numbers are among floats, since JavaScript writes 0.0 as 0.
    whole, takes_floats, takes_bools = _WHOLE.get(dtype, ()), dtype in _FLOATS, dtype == tf.bool
    for item in flat:
        kind = type(item)
        if (kind is float and takes_floats) or (kind is bool and takes_bools):
            continue
        if kind is not int or item not in whole:
            raise _refusal(item, len(shape), dtype)
    return shape, flat


def _refusal(value: Any, level: int, dtype: tf.DType) -> ServingError:
    """Return the error of a value that a tensor of a type cannot hold."""
    if isinstance(value, list):
        return invalid(f"Encountered list at unexpected level: {level} expected < {level}")
    quoted, name = f"JSON Value: {describe(value)}", _FLOATS.get(dtype, dtype.name)
    if dtype not in (*_WHOLE, tf.bool, tf.string):
        return ServingError("UNIMPLEMENTED", f"Conversion of {quoted} to type: {name}")
    if dtype == tf.string and isinstance(value, dict):
        return invalid(f"{quoted} not formatted correctly for base64 data")
    return invalid(f"{quoted} Type: {json_text.kind(value)} is not of expected type: {name}")


def _array(flat: list[Any], shape: tuple[int, ...], dtype: tf.DType) -> np.ndarray:
    # Integers are read wide and then narrowed, which wraps around what does not fit.
    wide = {tf.bool: bool, tf.string: object, tf.uint64: np.uint64}.get(dtype, np.int64)
    if dtype in _FLOATS:
        wide = np.float64
    values = np.empty(len(flat), dtype.as_numpy_dtype)
    # In parts, between which other threads run. A float beyond float32 is infinite.
    with np.errstate(over="ignore"):
        for start in range(0, len(flat), _PART):
            part = flat[start : start + _PART]
            values[start : start + _PART] = np.array(part, wide).astype(values.dtype)
    return values.reshape(shape)


def _text(shape: tuple[object, ...]) -> str:
    return f"[{','.join(map(str, shape))}]"
