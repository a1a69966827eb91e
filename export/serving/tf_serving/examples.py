"""Requests of :classify and :regress, for models by others that take tf.Example.

Models of this package answer them with the message that tells what their signatures are. All
functions raise `ServingError` in TF Serving's words.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from ser_keras.export.serving.tf_serving import json_text
from ser_keras.export.serving.tf_serving.json_tensors import Inputs, Tensors, check_shapes
from ser_keras.export.serving.tf_serving.json_text import describe
from ser_keras.export.serving.tf_serving.status import ServingError, invalid

_SIGNATURES = {"classify": "classification", "regress": "regression"}


def read(document: dict[str, Any]) -> np.ndarray:
    """Read the examples of a request: [examples], serialized, each with the context they share.

    Example:
        >>> tf.train.Example.FromString(read({"examples": [{"x": 80.0}]})[0]).features
        feature { key: "x" value { float_list { value: 80 } } }
    """
    context = _example(document["context"]) if "context" in document else tf.train.Example()
    examples = document.get("examples")
    if "examples" not in document:
        problem = "When method is classify, key 'examples' is expected and was not found"
    elif not isinstance(examples, list):
        problem = "Expecting 'examples' value to be an list/array"
    elif not examples:
        problem = "'examples' value is an empty array"
    else:
        found = np.empty(len(examples), object)
        # Serialized messages laid end to end are merged when they are parsed.
        shared = context.SerializeToString()
        found[:] = [shared + _example(one).SerializeToString() for one in examples]
        return found
    raise invalid(f"JSON Value: {describe(document)} {problem}")


def tensors(examples: np.ndarray, method: str, signature_method: str, inputs: Inputs) -> Tensors:
    """Return what `read` returned as the only input of a signature of the method asked for.

    Example:
        >>> inputs = {"inputs": tf.TensorSpec([None], tf.string)}
        >>> list(tensors(np.array([b""], object), "regress", "tensorflow/serving/regress", inputs))
        ['inputs']
    """
    expected = f"tensorflow/serving/{method}"
    if signature_method != expected:
        raise invalid(
            f"Expected {_SIGNATURES[method]} signature method_name to be {expected}. "
            f"Was: {signature_method}"
        )
    if len(inputs) != 1:
        raise ServingError("FAILED_PRECONDITION", "Expected one input Tensor.")
    found = dict.fromkeys(inputs, examples)
    check_shapes(found, inputs)
    return found


def _example(value: Any) -> tf.train.Example:
    if not isinstance(value, dict):
        raise invalid(f"Example must be JSON object but got JSON {json_text.kind(value)}")
    example = tf.train.Example()
    for name, content in value.items():
        feature = example.features.feature[name]
        for item in content if isinstance(content, list) else [content]:
            kind, converted = _convert(name, item)
            present = feature.WhichOneof("kind")
            if present not in (None, kind):
                raise invalid(
                    f"Unexpected element type in feature: {name} expecting type: "
                    f"{present.removesuffix('_list')}"
                )
            getattr(feature, kind).value.append(converted)
    return example


def _convert(name: str, value: Any) -> tuple[str, Any]:
    """Return the kind of a feature that a value belongs to, and the value as that kind has it."""
    if isinstance(value, (bool, int)):
        if value >= 2**63:
            raise invalid(f"Feature: {name} has uint64 element. Only int64 is supported.")
        return "int64_list", int(value)
    if isinstance(value, float):
        return "float_list", value
    content = json_text.to_bytes(value)
    if content is None:
        raise invalid(
            f"Feature: {name} has element with unexpected JSON type: {json_text.kind(value)}"
        )
    return "bytes_list", content
