"""Parts that Keras finds by name, imported on first use: `VRNN` in a file, formats of `export`.

Importing the model imports TensorFlow, which takes seconds that reading a corpus or asking for help
does not need. So a stand-in is registered, and not before Keras itself is imported. Exports stand
above the model, which cannot import them: it asks here for a format by its name.
"""

from __future__ import annotations

import importlib
from os import PathLike
from typing import Any

import wrapt

from ser_keras.fields import require

# Functions of a model and a path, by the name that `keras.Model.export` has for the format.
_EXPORTS = {
    "tf_saved_model": ("ser_keras.export.saving", "saved_model_at"),
    "litert": ("ser_keras.export.edge.convert", "tflite"),
}


class _DeferredVRNN:
    """The stand-in; importing `ser_keras.model.vrnn` registers the class itself in its place."""

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Build a `VRNN` from what its `get_config` returned."""
        return importlib.import_module("ser_keras.model.vrnn").VRNN.from_config(config)


def register_with_keras() -> None:
    """Register `VRNN` with Keras, now or as soon as Keras is imported.

    Example:
        >>> import keras, ser_keras
        >>> "ser_keras>VRNN" in keras.saving.get_custom_objects()
        True
    """
    wrapt.register_post_import_hook(_register, "keras")


def _register(keras: Any) -> None:
    keras.saving.get_custom_objects().setdefault("ser_keras>VRNN", _DeferredVRNN)


def export_model(model: Any, path: str | PathLike[str], kind: str) -> None:
    """Export a model in a format that Keras names.

    Raises:
        ConfigurationError: the format is not among those that the package writes.

    Example:
        >>> export_model(model, "somewhere", "onnx")
        Traceback (most recent call last):
        ser_keras.errors.ConfigurationError: format: expected tf_saved_model or litert, found 'onnx'
    """
    require(kind in _EXPORTS, "format", kind, " or ".join(_EXPORTS))
    module, function = _EXPORTS[kind]
    getattr(importlib.import_module(module), function)(model, path)
