"""Let `keras.saving.load_model` find `VRNN` after `import ser_keras`, in whichever order.

Importing the model imports TensorFlow, which takes seconds that reading a corpus or asking for help
does not need. So a stand-in is registered, and not before Keras itself is imported.
"""

from __future__ import annotations

import importlib
from typing import Any

import wrapt


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
