"""A SavedModel in memory: its signatures as functions of arrays, and what it says of itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from google.protobuf.message import Message
from tensorflow.core.protobuf import saved_model_pb2

from ser_keras.export.serving.tf_serving import status, warm_up
from ser_keras.export.serving.tf_serving.json_tensors import Tensors
from ser_keras.export.serving.tf_serving.status import invalid

PREDICT_METHOD = "tensorflow/serving/predict"


class Signature:
    """One way to call a model.

    Args:
        name: as the model calls it.
        function: a TensorFlow function of named tensors.
        method: what TF Serving calls its kind.
    """

    def __init__(self, name: str, function: Any, method: str = PREDICT_METHOD) -> None:
        self.name = name
        self.method = method
        self._function = function
        inputs = function.structured_input_signature[1]
        self.inputs: Mapping[str, tf.TensorSpec] = {name: inputs[name] for name in sorted(inputs)}
        outputs = function.structured_outputs
        self._outputs = {name: outputs[name].shape for name in outputs}
        self._has_instants = {"instants", "timeline"} <= set(self._outputs)
        # The length of recordings is in their bytes, so that one is padded to what it was batched
        # with. Other inputs are as long as they were sent, and so is the answer.
        self._padded = self._has_instants and any(
            spec.dtype == tf.string for spec in self.inputs.values()
        )
        self.batchable = self._is_batchable()

    def _is_batchable(self) -> bool:
        """Whether the first dimension is that of instances, and no answer depends on another's."""
        shapes = [spec.shape for spec in self.inputs.values()]
        results = list(self._outputs.values())
        if any(shape.rank in (None, 0) or shape[0] is not None for shape in shapes + results):
            return False
        return self._has_instants or all(None not in shape[1:].as_list() for shape in results)

    def check(self, tensors: Tensors) -> None:
        """Compare shapes with what the signature takes.

        Raises:
            ServingError: INVALID_ARGUMENT.
        """
        for name, spec in self.inputs.items():
            if not spec.shape.is_compatible_with(tensors[name].shape):
                expected = ["?" if size is None else size for size in spec.shape.as_list()]
                raise invalid(
                    f"input {name}: expected shape [{','.join(map(str, expected))}], "
                    f"found [{','.join(map(str, tensors[name].shape))}]"
                )

    def run(self, tensors: Tensors) -> Tensors:
        """Call the model.

        Raises:
            ServingError: what the model said of its input.
        """
        try:
            inputs = {
                name: tf.constant(value.tolist() if value.dtype == object else value, spec.dtype)
                for (name, spec), value in zip(
                    self.inputs.items(), [tensors[name] for name in self.inputs], strict=True
                )
            }
            outputs = self._function(**inputs)
            return {name: value.numpy() for name, value in outputs.items()}
        except Exception as error:  # noqa: BLE001  # nothing of it may reach a client as it is
            raise status.of_tensorflow(error) from None

    def rows(self, outputs: Tensors, first: int, last: int) -> Tensors:
        """The answers to some of a batch's instances, as if they had been asked alone."""
        own = {name: value[first:last] for name, value in outputs.items()}
        if self._padded:  # with zeros, after the instance has ended
            own["timeline"] = own["timeline"][:, : own["instants"].max(initial=0)]
        return own


class Servable:
    """A version of a model.

    Args:
        folder: NAME/VERSION, a SavedModel.

    Raises:
        OSError, ValueError, tf.errors.OpError: it cannot be loaded.
    """

    def __init__(self, folder: Path) -> None:
        definitions = _signature_definitions(folder)
        self._loaded = tf.saved_model.load(str(folder))
        self.signatures = {
            name: Signature(name, function, definitions[name].method_name or PREDICT_METHOD)
            for name, function in self._loaded.signatures.items()
            if name in definitions
        }
        self.metadata = {
            name: _to_dict(definition) for name, definition in sorted(definitions.items())
        }
        self.description = _description(folder)
        self._warm_up(folder)

    def signature(self, name: str) -> Signature:
        """The signature of a name; "" is the default one.

        Raises:
            ServingError: INVALID_ARGUMENT, there is none.
        """
        name = name or "serving_default"
        if name not in self.signatures:
            raise invalid(f'Serving signature name: "{name}" not found in signature def')
        return self.signatures[name]

    def function(self, name: str) -> Callable[..., dict[str, tf.Tensor]] | None:
        """A function that models of this package have beyond their signatures; None if not."""
        return getattr(self._loaded, name, None)

    def _warm_up(self, folder: Path) -> None:
        """Replay the requests beside the model: the first call of each shape takes seconds."""
        for name, tensors in warm_up.read(folder / warm_up.PLACE):
            self.signature(name).run(tensors)


def _signature_definitions(folder: Path) -> dict[str, Any]:
    content = saved_model_pb2.SavedModel()
    content.ParseFromString((folder / "saved_model.pb").read_bytes())
    graphs = [graph for graph in content.meta_graphs if "serve" in graph.meta_info_def.tags]
    if not graphs:
        raise ValueError("found no graph with the tag 'serve'")
    return dict(graphs[0].signature_def)


def _to_dict(message: Message) -> dict[str, Any]:
    """A message as TF Serving prints it: in the protocol's names, and with what is left out."""
    names = {"preserving_proto_field_name": True}
    try:
        return json_format.MessageToDict(
            message, always_print_fields_with_no_presence=True, **names
        )
    except TypeError:  # protobuf 4, of the [io] stack
        return json_format.MessageToDict(message, including_default_value_fields=True, **names)


def _description(folder: Path) -> dict[str, Any]:
    """What a model of this package says of itself; {} of any other."""
    try:
        return dict(json.loads((folder / "assets" / "description.json").read_text("utf-8")))
    except (OSError, ValueError):
        return {}


def stack(parts: list[np.ndarray]) -> np.ndarray:
    """Tensors of instances as one."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
