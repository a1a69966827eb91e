"""Conversion of trained models to TFLite files."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import tensorflow as tf

# TensorFlow has no public name for it. Tested with TensorFlow 2.17 and 2.21.
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from ser_keras.export.edge import PRECISIONS
from ser_keras.export.edge.signatures import Signature, edge_signatures
from ser_keras.export.edge.slimming import slim
from ser_keras.export.graph.inference import describe
from ser_keras.fields import require
from ser_keras.files import output_folder, replacing, write_json
from ser_keras.model.vrnn import VRNN


def tflite(model: VRNN, path: str | PathLike[str], precision: str = "float32") -> Path:
    """Export a model as a TFLite file of built-in operations, with its description beside it.

    The signatures are those of `ser_keras.export.edge.signatures`. The description, all that a
    program must know of the model, is a file of the same name that ends in `.json`: see
    `inference.describe`.

    Args:
        model: a trained model.
        path: the file to write; one that is there is replaced.
        precision: of the weights. "float32"; "float16", half the size, computed in float32; or
            "int8", a quarter, whose activations are quantised as they come (dynamic range). The
            front end is exact at each of them.

    Example:
        >>> export.tflite(model, "model.tflite", precision="int8").name
        'model.tflite'
    """
    expected = f"one of {', '.join(PRECISIONS)}"
    require(precision in PRECISIONS, "precision", precision, expected)
    path = Path(path)
    output_folder(path.parent)
    content = _convert(edge_signatures(model), precision)
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    write_json(path.with_suffix(".json"), describe(model) | {"precision": precision})
    return path


def _convert(signatures: dict[str, Signature], precision: str) -> bytes:
    """The content of a TFLite file, whose signatures share their weights."""
    frozen = {name: _freeze(*signature) for name, signature in signatures.items()}
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(tf.Module(), folder, signatures=frozen)
        converter = tf.lite.TFLiteConverter.from_saved_model(
            folder, signature_keys=list(signatures)
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if precision != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            # A scale for every row of every matrix, repeated in every signature, would cost 370 kB
            # at the paper's sizes. Without, 1,198 of 1,200 utterances keep their emotion. A private
            # option, tested with TensorFlow 2.17 and 2.21; another version may ignore it.
            converter._experimental_disable_per_channel_quantization_for_dense_layers = True
        if precision == "float16":
            converter.target_spec.supported_types = [tf.float16]
        return slim(converter.convert())


def _freeze(function: Callable[..., Any], inputs: dict[str, tf.TensorSpec]) -> Callable[..., Any]:
    """The function with its weights as constants: the converter loses those of variables."""
    traced = tf.function(function, autograph=False).get_concrete_function(**inputs)
    constant = convert_variables_to_constants_v2(traced, lower_control_flow=False)
    names = [tensor.name.split(":")[0] for tensor in traced.inputs[: len(inputs)]]

    def call(**tensors: tf.Tensor) -> Any:
        outputs = constant(*(tensors[name] for name in names))
        return tf.nest.pack_sequence_as(traced.structured_outputs, outputs)

    return tf.function(call, autograph=False).get_concrete_function(**inputs)
