"""One signature of a SavedModel, as a function of arrays."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from ser_keras.export.serving.tf_serving import status
from ser_keras.export.serving.tf_serving.json_tensors import Inputs, Tensors


class Signature:
    """One way to call a model: a TensorFlow function of named tensors.

    Attributes:
        method: TF Serving's name of its kind.
        inputs: what it takes, by name.
        batchable: whether the first dimension of all inputs and outputs is that of instances, and
            no instance's outputs depend on another's.

    Example:
        >>> double = tf.function(lambda *, x: {"y": 2 * x})
        >>> double = Signature("double", double.get_concrete_function(x=tf.TensorSpec([None])))
        >>> double.run({"x": np.array([1.5], np.float32)})
        {'y': array([3.], dtype=float32)}
    """

    def __init__(self, name: str, function: Any, method: str = "") -> None:
        self.name = name
        self.method = method or "tensorflow/serving/predict"
        self._function = function
        inputs = function.structured_input_signature[1]
        self.inputs: Inputs = {name: inputs[name] for name in sorted(inputs)}
        shapes = {name: value.shape for name, value in function.structured_outputs.items()}
        has_instants = {"instants", "timeline"} <= shapes.keys()
        # A recording is padded to the longest of its batch, and its timeline with it. Other inputs
        # are as long as they were sent, and so is the timeline.
        strings = any(spec.dtype == tf.string for spec in self.inputs.values())
        self._cuts_timeline = has_instants and strings
        taken = [spec.shape for spec in self.inputs.values()]
        given = list(shapes.values())
        self.batchable = all(shape.rank and shape[0] is None for shape in taken + given) and (
            has_instants or all(None not in shape[1:].as_list() for shape in given)
        )

    def run(self, tensors: Tensors) -> Tensors:
        """Call the model."""
        try:
            inputs = {}
            for name, spec in self.inputs.items():
                value = tensors[name]
                strings = value.dtype == object  # which TensorFlow takes as lists of bytes
                inputs[name] = tf.constant(value.tolist() if strings else value, spec.dtype)
            return {name: value.numpy() for name, value in self._function(**inputs).items()}
        except Exception as error:  # noqa: BLE001  # no traceback and no path may reach a client
            raise status.from_tensorflow(error) from None

    def rows(self, outputs: Tensors, first: int, last: int) -> Tensors:
        """Return the outputs of some instances of a batch, as if they had been run alone."""
        own = {name: value[first:last] for name, value in outputs.items()}
        if self._cuts_timeline:  # [B, T, C] of a batch; zero after an instance has ended
            own["timeline"] = own["timeline"][:, : own["instants"].max(initial=0)]
        return own
