"""Trained models outside Python: SavedModel and TF Serving, TFLite, their runners, a local server.

Installed as ``ser_keras.export``. It imports ``ser_keras``, never the other way round.

    from ser_keras import export
    export.saved_model(model, "served/vrnn/1")
    export.tflite(model, "vrnn.tflite")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ser_keras.export.edge.convert import tflite as tflite
    from ser_keras.export.saving import saved_model as saved_model
    from ser_keras.export.serving.tf_serving.bundle import write as serving_bundle

# Imported when first used, so that `--help` need not wait for TensorFlow. No module has the name of
# its function: importing it would replace the function by the module.
_FUNCTIONS = {
    "saved_model": ("saving", "saved_model"),
    "serving_bundle": ("serving.tf_serving.bundle", "write"),
    "tflite": ("edge.convert", "tflite"),
}

__all__ = ["saved_model", "serving_bundle", "tflite"]


def __getattr__(name: str) -> Any:
    if name in _FUNCTIONS:
        module, function = _FUNCTIONS[name]
        return getattr(importlib.import_module(f"ser_keras.export.{module}"), function)
    raise AttributeError(f"module 'ser_keras.export' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
