"""A Keras model of sequences: what its methods take, and what they return, beyond Keras' own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ser_keras import registration
from ser_keras.errors import ConfigurationError
from ser_keras.features.spec import FeatureSpec
from ser_keras.model.batch import WITHOUT_TIME, Outputs, check, dense
from ser_keras.model.measured_model import MeasuredModel
from ser_keras.model.sources import require_end


class SequenceModel(MeasuredModel):
    """A Keras model whose `predict` joins batches of different lengths.

    `predict` returns arrays, padded with zeros to the longest utterance. In between, outputs with a
    time axis are ragged tensors [B, T, …]: dense ones of different T Keras joins through Python
    lists, which takes seconds for a million numbers.

    Subclasses have `features`. Inputs of another shape, and datasets without end whose number of
    batches nobody says, are refused at once.

    Example:
        >>> model.predict(np.zeros((2, 5, 13)), verbose=0)["timeline"].shape
        (2, 5, 8)
    """

    features: FeatureSpec

    @property
    def observation_shape(self) -> tuple[int, ...]:
        """Shape of an observation, as the features say."""
        return self.features.observation_shape

    def check(self, call: str, x: Any, steps: int | None, option: str = "steps") -> None:
        """Refuse inputs that cannot be right, and data without end that nobody counts.

        Args:
            call: the method that they are given to.
            x: what it is given.
            steps: batches to take of it; None takes all.
            option: the name of `steps` there.
        """
        require_end(call, x, steps, option)
        check(x, self.observation_shape)

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Outputs:
        """Call the model, of which Keras would wrap an error in many lines."""
        if not any(isinstance(leaf, keras.KerasTensor) for leaf in keras.tree.flatten(inputs)):
            (check if tf.executing_eagerly() else dense)(inputs, self.observation_shape)
        return super().__call__(inputs, *args, **kwargs)

    def fit(self, x: Any = None, *args: Any, **kwargs: Any) -> keras.callbacks.History:
        """Train as Keras does."""
        steps = kwargs.get("steps_per_epoch")
        self.check("fit", x, steps, "steps_per_epoch")
        validation, validation_steps = kwargs.get("validation_data"), kwargs.get("validation_steps")
        require_end("fit(validation_data=…)", validation, validation_steps, "validation_steps")
        self.prepare(x, steps)
        with _errors_in_one_line():
            return super().fit(x, *args, **kwargs)

    def prepare(self, x: Any, steps: int | None) -> None:
        """Learn from checked data what a subclass must know before it trains.

        Args:
            x: what `fit` is given.
            steps: batches to take of it; None takes all.
        """

    def evaluate(self, x: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Evaluate as Keras does."""
        self.check("evaluate", x, kwargs.get("steps"))
        with _errors_in_one_line():
            return super().evaluate(x, *args, **kwargs)

    def train_on_batch(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Train on a single batch as Keras does."""
        check(x, self.observation_shape)
        with _errors_in_one_line():
            return super().train_on_batch(x, *args, **kwargs)

    def predict_step(self, data: Any) -> Outputs:
        """Call the model and convert outputs with a time axis to ragged tensors."""
        return {
            name: value if name in WITHOUT_TIME else tf.RaggedTensor.from_tensor(value)
            for name, value in super().predict_step(data).items()
        }

    def predict(self, x: Any, *args: Any, **kwargs: Any) -> dict[str, np.ndarray]:
        """Predict as Keras does, for utterances of any lengths."""
        self.check("predict", x, kwargs.get("steps"))
        with _errors_in_one_line():
            return _padded(super().predict(x, *args, **kwargs))

    def predict_on_batch(self, x: Any) -> dict[str, np.ndarray]:
        """Predict a single batch."""
        check(x, self.observation_shape)
        return _padded(super().predict_on_batch(x))

    def export(
        self,
        filepath: str | PathLike[str],
        format: str = "tf_saved_model",  # noqa: A002  # Keras' name
        **kwargs: Any,
    ) -> None:
        """Write what `ser_keras.export` writes: a model that takes sound.

        Args:
            filepath: the folder of the SavedModel, or the TFLite file.
            format: "tf_saved_model" or "litert"; Keras' other formats are refused.
            **kwargs: Keras' `verbose`, which changes nothing: nothing is printed.

        Raises:
            ConfigurationError: the format or an option is not among these, or the path is taken.
        """
        for option in kwargs:
            if option != "verbose":
                raise ConfigurationError(
                    f"export: expected a path and a format alone, found {option}; "
                    "ser_keras.export.saved_model and ser_keras.export.tflite have more options"
                )
        registration.export_model(self, filepath, format)


@contextmanager
def _errors_in_one_line() -> Iterator[None]:
    """Shorten what TensorFlow makes of a check that fails in a graph to what was checked."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        # In a graph, and eagerly.
        if failed := re.search(r"assertion failed: \[(.*)\]", error.message):
            message = failed[1].replace("] [", " ")
        elif failed := re.search(r"Summarized data: (.*)", error.message, re.DOTALL):
            message = re.sub(r"b'([^']*)'", r"\1", failed[1]).replace("\n", " ")
        else:
            raise
        raise tf.errors.InvalidArgumentError(error.node_def, error.op, message) from None


def _padded(outputs: dict[str, Any]) -> dict[str, np.ndarray]:
    return {
        name: value.to_tensor().numpy() if isinstance(value, tf.RaggedTensor) else value
        for name, value in outputs.items()
    }
