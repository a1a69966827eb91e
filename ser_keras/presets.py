"""Complete settings by name; each number of the paper's stands beside the section it comes from."""

from __future__ import annotations

from ser_keras.configuration import Architecture, Preset
from ser_keras.errors import ConfigurationError

# Section 3.2: 512, 256, 512 hidden units, 20 latent variables, dropout 0.3, 0.3, 0.1.
RAVDESS = Preset(
    name="ravdess",
    architecture=Architecture(
        recognition_units=512,
        generation_units=256,
        classification_units=512,
        latent_size=20,
        recognition_dropout=0.3,
        generation_dropout=0.3,
        classification_dropout=0.1,
    ),
)

# Section 3.2: 64 hidden units each, 10 latent variables, dropout 0.8.
IEMOCAP = Preset(
    name="iemocap",
    architecture=Architecture(
        recognition_units=64,
        generation_units=64,
        classification_units=64,
        latent_size=10,
        recognition_dropout=0.8,
        generation_dropout=0.8,
        classification_dropout=0.8,
    ),
)

_PRESETS = {preset.name: preset for preset in (RAVDESS, IEMOCAP)}


def names() -> tuple[str, ...]:
    """Names of all presets."""
    return tuple(_PRESETS)


def get(name: str) -> Preset:
    """The preset of that name.

    Raises:
        ConfigurationError: there is none of that name.
    """
    if name not in _PRESETS:
        raise ConfigurationError(f"unknown preset {name!r}; the presets are {', '.join(names())}")
    return _PRESETS[name]
