"""Let `keras.saving.load_model` find `VRNN` after `import ser_keras`, in whichever order.

Importing the model imports TensorFlow, which takes seconds that reading a corpus or asking for help
does not need. So a stand-in is registered, and not before Keras itself is imported.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_REGISTERED_NAME = "ser_keras>VRNN"


class _DeferredVRNN:
    """The stand-in; importing `ser_keras.model.vrnn` registers the class itself in its place."""

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Build a `VRNN` from what its `get_config` returned."""
        return importlib.import_module("ser_keras.model.vrnn").VRNN.from_config(config)


class _RegisterAfterKeras(MetaPathFinder):
    """Finds Keras as the other finders do, and registers the stand-in once it is loaded."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "keras":
            return None
        sys.meta_path.remove(self)
        try:
            spec = importlib.util.find_spec(name)
        finally:
            sys.meta_path.insert(0, self)  # this search may be a look, with no import after it
        if spec is None or spec.loader is None:
            return spec
        load = spec.loader.exec_module

        def load_and_register(module: ModuleType) -> None:
            load(module)
            _register(module)

        spec.loader.exec_module = load_and_register  # type: ignore[method-assign]
        return spec


def _register(keras: Any) -> None:
    keras.saving.get_custom_objects().setdefault(_REGISTERED_NAME, _DeferredVRNN)


def register_with_keras() -> None:
    """Register `VRNN` with Keras, now or as soon as Keras is imported.

    Example:
        >>> import keras, ser_keras
        >>> "ser_keras>VRNN" in keras.saving.get_custom_objects()
        True
    """
    if "keras" in sys.modules:
        _register(sys.modules["keras"])
    else:
        sys.meta_path.insert(0, _RegisterAfterKeras())
