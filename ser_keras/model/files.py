"""Trained models on disk: `.keras` files, alone, in the folder of a run, or in the package."""

from __future__ import annotations

import os
from pathlib import Path

import keras

from ser_keras.errors import ConfigurationError
from ser_keras.files import replacing
from ser_keras.model import archives, presets
from ser_keras.model.vrnn import VRNN

MODEL_FILE = "model.keras"

# Bytes that a `.keras` file may unpack to, if it is not itself longer: a hundred million weights
# with an optimiser's state, forty times the paper's largest model.
MOST_UNPACKED = 1 << 30


def save(model: VRNN, path: Path) -> None:
    """Write a `.keras` file, whole or not at all.

    Raises:
        OutputError: it cannot be written.

    Example:
        >>> from pathlib import Path
        >>> save(model, Path("mine.keras"))
        >>> load("mine.keras").classes == model.classes
        True
    """
    with replacing(path) as temporary:
        model.save(temporary)


def load(name: str | os.PathLike[str]) -> VRNN:
    """Load a trained model.

    Args:
        name: the folder of a run, a `.keras` file, or, as a string, a preset whose weights come
            with the package.

    Raises:
        ConfigurationError: there is no such model, a folder has the name of a preset with weights,
            or the file is damaged, unpacks to more than `MOST_UNPACKED` bytes or does not hold a
            model of this package.

    Example:
        >>> load("tiny").classes[:3]
        ('neutral', 'calm', 'happy')
    """
    path = _find(name)
    # Keras takes any other ending for HDF5, from which it has run code whatever it was told.
    if path.suffix != ".keras":
        raise ConfigurationError(f"model {path}: expected a .keras file, found {path.suffix!r}")
    try:
        # Keras does not compress, so that no file of its own unpacks to much more than its size.
        archives.check(path, most=max(MOST_UNPACKED, path.stat().st_size))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"model {error}") from error
    try:
        model = keras.saving.load_model(path)
    except Exception as error:  # Keras raises nearly anything for what it did not write
        reason = " ".join(str(error).split())
        raise ConfigurationError(
            f"model {path}: expected a .keras file of ser_keras, found another ({reason})"
        ) from error
    if not isinstance(model, VRNN):
        raise ConfigurationError(f"model {path}: expected a VRNN, found a {type(model).__name__}")
    return model


def _find(name: str | os.PathLike[str]) -> Path:
    """Return the file that a name stands for."""
    path = Path(name)
    weights = presets.weights(name) if isinstance(name, str) else None
    if weights is not None:
        if (path / MODEL_FILE).exists():
            raise ConfigurationError(
                f"model {name}: expected {os.curdir}{os.sep}{name} for the run in this folder or "
                f"another name for it, found the name of a preset that comes with weights"
            )
        return weights
    if path.is_dir():
        path = path / MODEL_FILE
    if not path.is_file():
        is_preset = isinstance(name, str) and name in presets.names()
        found = "a preset that comes without trained weights" if is_preset else "nothing"
        raise ConfigurationError(
            f"model {name}: expected the folder of a run that holds {MODEL_FILE}, a .keras file, "
            f"or one of {', '.join(presets.trained())}, found {found}"
        )
    return path
