"""Trained models on disk: `.keras` files, alone or in the folder of a run."""

from __future__ import annotations

import os
from pathlib import Path

import keras

from ser_keras.errors import ConfigurationError
from ser_keras.files import replacing
from ser_keras.model import presets, shipped
from ser_keras.model.vrnn import VRNN

MODEL_FILE = "model.keras"


def save(model: VRNN, path: Path) -> None:
    """Write a `.keras` file, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    with replacing(path) as temporary:
        model.save(temporary)


def load(name: str | os.PathLike[str]) -> VRNN:
    """A trained model.

    Args:
        name: the folder of a run, a `.keras` file, or, as text, a preset whose weights come with
            the package.

    Raises:
        ConfigurationError: there is no model of that name, there are two, or the file holds
            something else.
    """
    path = Path(name)
    preset = shipped.path(name) if isinstance(name, str) else None
    if preset is not None:
        if (path / MODEL_FILE).exists():
            raise ConfigurationError(
                f"model {name}: found a preset that comes with weights and a run's folder here; "
                f"expected {os.curdir}{os.sep}{name} for the folder, or another name for it"
            )
        path = preset
    if path.is_dir():
        path = path / MODEL_FILE
    if not path.is_file():
        bare = isinstance(name, str) and name in presets.names()
        reason = "this preset comes without trained weights" if bare else "not found"
        raise ConfigurationError(
            f"model {name}: {reason}; expected the folder of a run that holds {MODEL_FILE}, "
            f"a .keras file, or one of {', '.join(shipped.names())}"
        )
    # Keras takes any other ending for HDF5, from which it has run code whatever it was told.
    if path.suffix != ".keras":
        raise ConfigurationError(f"model {path}: found {path.suffix!r}, expected a .keras file")
    try:
        model = keras.saving.load_model(path)
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise ConfigurationError(
            f"model {path}: not a .keras file of ser_keras ({error})"
        ) from error
    if not isinstance(model, VRNN):
        raise ConfigurationError(f"model {path}: found a {type(model).__name__}, expected a VRNN")
    return model
