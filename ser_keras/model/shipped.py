"""Trained weights that come with the package; their model cards are in docs/."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras

from ser_keras.errors import ConfigurationError
from ser_keras.model import presets

_FOLDER = Path(__file__).parent / "weights"


def path(name: str) -> Path | None:
    """The `.keras` file of a preset's trained weights; None where it comes without."""
    file = _FOLDER / f"{name}.keras"
    return file if name in presets.names() and file.is_file() else None


def names() -> list[str]:
    """The presets that come with trained weights."""
    return [name for name in presets.names() if path(name)]


def load(name: str) -> Any:
    """The trained model of a preset, a `VRNN`.

    Raises:
        ConfigurationError: the preset comes without trained weights.
    """
    file = path(name)
    if file is None:
        raise ConfigurationError(
            f"preset {name!r} comes without trained weights; expected one of "
            f"{', '.join(names()) or 'none at all'}"
        )
    return keras.saving.load_model(file)
