"""Trained models on disk: `.keras` files, alone or in the folder of a run."""

from __future__ import annotations

import os
from pathlib import Path

import keras

from ser_keras import presets
from ser_keras.errors import ConfigurationError
from ser_keras.files import replacing
from ser_keras.vrnn import VRNN

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
        name: the folder of a run, or a `.keras` file.

    Raises:
        ConfigurationError: there is no model of that name, or the file holds something else.
    """
    path = Path(name)
    if path.is_dir():
        path = path / MODEL_FILE
    if not path.is_file():
        known = "a preset has no trained weights" if str(name) in presets.names() else "not found"
        raise ConfigurationError(
            f"model {name}: {known}; expected the folder of a run that holds {MODEL_FILE}, "
            "or a .keras file"
        )
    try:
        model = keras.saving.load_model(path)
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise ConfigurationError(
            f"model {path}: not a .keras file of ser_keras ({error})"
        ) from error
    if not isinstance(model, VRNN):
        raise ConfigurationError(f"model {path}: found a {type(model).__name__}, expected a VRNN")
    return model
