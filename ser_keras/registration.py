"""Tell Keras of `VRNN`, so that `keras.saving.load_model` finds it after `import ser_keras`.

Importing the model imports TensorFlow, which takes seconds, and most uses of the package need
neither. So a stand-in is registered, as soon as Keras itself is imported, in whichever order.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

REGISTERED_NAME = "ser_keras>VRNN"


class DeferredVRNN:
    """Stands in for `VRNN` among Keras' registered classes until a model is loaded.

    Importing `ser_keras.model.vrnn` registers the class itself in its place.
    """

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Build a `VRNN` from what its `get_config` returned."""
        return importlib.import_module("ser_keras.model.vrnn").VRNN.from_config(config)


class _AfterImport(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Import Keras as usual, then register the stand-in."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != "keras":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            self._loader, spec.loader = spec.loader, self
        return spec

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        sys.meta_path.remove(self)
        # Tools that read a package's files ask for the loader that knows them.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        _register(module)


def _register(keras: Any) -> None:
    keras.saving.get_custom_objects().setdefault(REGISTERED_NAME, DeferredVRNN)


def register_with_keras() -> None:
    """Register `VRNN` with Keras, now or as soon as Keras is imported.

    Example:
        >>> import keras, ser_keras
        >>> "ser_keras>VRNN" in keras.saving.get_custom_objects()
        True
    """
    if "keras" in sys.modules:
        _register(sys.modules["keras"])
    elif not any(isinstance(finder, _AfterImport) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterImport())
