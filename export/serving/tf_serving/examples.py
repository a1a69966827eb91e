"""The :classify and :regress requests, for models of others that take tf.Example.

Models of this package have neither: they answer with what their signatures are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from ser_keras.export.serving.server.loaded_model import Signature
from ser_keras.export.serving.tf_serving import json_text
from ser_keras.export.serving.tf_serving.json_tensors import Tensors
from ser_keras.export.serving.tf_serving.json_text import describe
from ser_keras.export.serving.tf_serving.status import ServingError, invalid

METHODS = {"classify": "classification", "regress": "regression"}


def read(document: dict[str, Any]) -> np.ndarray:
    """The examples of a request, serialised, each with the context they share.

    Returns:
        objects that are bytes, [examples].

    Raises:
        ServingError: INVALID_ARGUMENT, in TF Serving's words.
    """
    context = _example(document["context"]) if "context" in document else tf.train.Example()
    if "examples" not in document:
        raise invalid(
            "JSON Value: ", describe(document),
            " When method is classify, key 'examples' is expected and was not found",
        )  # fmt: skip
    listed = document["examples"]
    if not isinstance(listed, list):
        raise invalid(
            "JSON Value: ", describe(document), " Expecting 'examples' value to be an list/array"
        )
    if not listed:
        raise invalid("JSON Value: ", describe(document), " 'examples' value is an empty array")
    found = np.empty(len(listed), object)
    # Serialised messages laid end to end are merged when read.
    found[:] = [context.SerializeToString() + _example(one).SerializeToString() for one in listed]
    return found


def check(signature: Signature, method: str) -> None:
    """Refuse a signature that is not of the method.

    Raises:
        ServingError: INVALID_ARGUMENT.
    """
    expected = f"tensorflow/serving/{method}"
    if signature.method != expected:
        raise invalid(
            f"Expected {METHODS[method]} signature method_name to be {expected}. "
            f"Was: {signature.method}"
        )


def answer(method: str, outputs: Tensors, count: int) -> str:
    """The body that answers a request of so many examples."""
    if method == "regress":
        values = outputs["outputs"].reshape(count)
        results = "[" + ", ".join(map(json_text.decimal, values)) + "]"
    else:
        scores = outputs.get("scores")
        classes = outputs.get("classes")
        lines = []
        for row in range(count):
            size = (scores if scores is not None else classes).shape[-1]  # type: ignore[union-attr]
            labels = [b""] * size if classes is None else classes[row].ravel().tolist()
            numbers = np.zeros(size, np.float32) if scores is None else scores[row].ravel()
            pairs = [
                f"[{json_text.string(label)}, {json_text.decimal(number)}]"
                for label, number in zip(labels, numbers, strict=True)
            ]
            lines.append("[" + ", ".join(pairs) + "]")
        results = "[" + ", ".join(lines) + "]"
    return json_text.members({"results": results}, "") + "\n"


def _example(value: Any) -> tf.train.Example:
    if not isinstance(value, dict):
        raise invalid("Example must be JSON object but got JSON ", json_text.kind(value))
    example = tf.train.Example()
    for name, content in value.items():
        feature = example.features.feature[name]
        for item in content if isinstance(content, list) else [content]:
            _add(feature, name, item)
    return example


def _add(feature: Any, name: str, value: Any) -> None:
    """Add a value to a feature, all of whose values are of one kind."""
    if isinstance(value, (bool, int)):
        if isinstance(value, int) and value >= 2**63:
            raise invalid("Feature: ", name, " has uint64 element. Only int64 is supported.")
        _list(feature, "int64_list", name).append(int(value))
    elif isinstance(value, float):
        if np.isfinite(value) and abs(value) > np.finfo(np.float32).max:
            raise invalid(
                "Cannot convert JSON value: ", describe(value),
                " to float without loss of precision.",
            )  # fmt: skip
        _list(feature, "float_list", name).append(value)
    elif isinstance(value, str):
        _list(feature, "bytes_list", name).append(value.encode("utf-8", "surrogateescape"))
    elif isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str):
        decoded = json_text.unescape_base64(value["b64"])
        if decoded is None:
            raise invalid("Unable to base64 decode")
        _list(feature, "bytes_list", name).append(decoded)
    else:
        raise invalid(
            "Feature: ", name, " has element with unexpected JSON type: ", json_text.kind(value)
        )


def _list(feature: Any, kind: str, name: str) -> Any:
    found = feature.WhichOneof("kind")
    if found not in (None, kind):
        raise invalid(
            "Unexpected element type in feature: ", name, " expecting type: ",
            found.removesuffix("_list"),
        )  # fmt: skip
    return getattr(feature, kind).value


def input_name(signature: Signature) -> str:
    """The one input, of serialised examples.

    Raises:
        ServingError: FAILED_PRECONDITION, the signature has others.
    """
    names = list(signature.inputs)
    if len(names) != 1:
        raise ServingError("FAILED_PRECONDITION", "Expected one input Tensor.")
    return names[0]
