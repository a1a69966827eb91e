"""Complete settings by name, with the paper's section beside its numbers, and trained weights."""

from __future__ import annotations

import dataclasses
import functools
import sys
from pathlib import Path

from ser_keras.errors import ConfigurationError
from ser_keras.features.augmentation import Augmentation
from ser_keras.features.spec import FeatureSpec
from ser_keras.model.settings import Architecture, Objective, Optimization, Preset

# Section 3.2: the defaults of all settings.
RAVDESS = Preset(name="ravdess")

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

# Patches of 64 frames of 64 bands, about a second, of which half is new; chosen in docs/study.md.
_PATCHES = FeatureSpec(
    kind="log-mel",
    sample_rate=16000,
    window=63 * 256 / 16000,
    hop=32 * 256 / 16000,
    mel_bands=64,
    fft_size=1024,
    frame_hop=256,
    statistics=(),
    top_db=None,
    trailing_silence=0.8,
    remove_offset=True,
)

CONVOLUTIONAL = Preset(
    name="convolutional",
    features=_PATCHES,
    architecture=Architecture(
        recognition_units=128,
        generation_units=96,
        classification_units=128,
        latent_size=48,
        recognition_dropout=0.3,
        generation_dropout=0.1,
        classification_dropout=0.3,
        recognition_channels=(24, 48, 96, 96),
        generation_channels=(16, 16, 24),
        embedding_units=128,
        initial_log_scale=-3.0,
        carry_over=True,
        end_frames=4,
        decoder_reads_sampled=True,
        range_db=60.0,
    ),
    objective=Objective(
        generation_weight=2.5e-5,
        classification_weight=1.0,
        kl_weight=1e-4,
        class_term="last",
        label_smoothing=0.1,
    ),
    optimization=Optimization(
        optimizer="adamw",
        learning_rate=0.0015,
        epsilon=1e-7,
        batch_size=16,
        epochs=16,
        epoch_draws=20_000,
        schedule="cosine",
        weight_decay=0.05,
        weight_average=0.998,
    ),
    augmentation=Augmentation(
        copies=16,
        versions=25_000,
        speed=0.14,
        shift=0.1,
        gain=(-24.0, 6.0),
        trim=35.0,
        band_mask=6,
        frame_mask=6,
        band_gain=6.0,
        mixup=0.3,
    ),
)

# For edge devices: under 100,000 parameters, and filters small enough to travel with them.
TINY = Preset(
    name="tiny",
    features=dataclasses.replace(_PATCHES, mel_bands=40, fft_size=512),
    architecture=dataclasses.replace(
        CONVOLUTIONAL.architecture,
        recognition_units=40,
        generation_units=32,
        classification_units=40,
        latent_size=20,
        recognition_dropout=0.2,
        classification_dropout=0.2,
        recognition_channels=(12, 24, 48, 48),
        generation_channels=(8, 8, 12),
        embedding_units=40,
    ),
    objective=dataclasses.replace(CONVOLUTIONAL.objective, generation_weight=4e-5),
    optimization=dataclasses.replace(CONVOLUTIONAL.optimization, learning_rate=0.002),
    augmentation=dataclasses.replace(CONVOLUTIONAL.augmentation, band_mask=5, frame_mask=6),
)

# For CREMA-D, whose license lets its weights be used commercially: many people, who are recorded
# in one way. So the copies differ in rooms, codecs, noise and the silence around them too.
OPEN = dataclasses.replace(
    CONVOLUTIONAL,
    name="open",
    optimization=dataclasses.replace(
        CONVOLUTIONAL.optimization,
        learning_rate=0.002,
        batch_size=32,
        epochs=8,
        epoch_draws=None,
        balance="emotion",
    ),
    augmentation=dataclasses.replace(
        CONVOLUTIONAL.augmentation,
        copies=3,
        versions=None,
        noise_slope=6.0,
        rooms=0.3,
        codecs=0.5,
        silence=1.0,
    ),
)

_WEIGHTS = Path(__file__).parent / "weights"
_PRESETS = {preset.name: preset for preset in (RAVDESS, IEMOCAP, CONVOLUTIONAL, TINY, OPEN)}
# What the corpora that weights were trained on ask of those who use them.
_LICENSES = {
    "convolutional": "CC BY-NC-SA 4.0, not for commercial use",
    "tiny": "CC BY-NC-SA 4.0, not for commercial use",
    "open": "ODbL 1.0, for commercial use too, with attribution",
}


def names() -> tuple[str, ...]:
    """Return the names of all presets.

    Example:
        >>> names()
        ('ravdess', 'iemocap', 'convolutional', 'tiny', 'open')
    """
    return tuple(_PRESETS)


def get(name: str) -> Preset:
    """Return the preset of that name.

    Raises:
        ConfigurationError: there is no preset of that name.

    Example:
        >>> get("ravdess").architecture.latent_size
        20
    """
    if name not in _PRESETS:
        raise ConfigurationError(f"preset: expected one of {', '.join(names())}, found {name!r}")
    return _PRESETS[name]


def weights(name: str) -> Path | None:
    """Return the `.keras` file of the trained weights of a preset, None if it comes without.

    The first use in a process says on standard error which license they are under, and which other
    weights are under the same. Their model cards are in docs/model-card.md.

    Example:
        >>> weights("tiny").name, weights("ravdess")
        ('tiny.keras', None)
    """
    if name not in trained():
        return None
    _state_license(_LICENSES[name])
    return _WEIGHTS / f"{name}.keras"


def trained() -> tuple[str, ...]:
    """Return the names of the presets that come with trained weights.

    Example:
        >>> trained()
        ('convolutional', 'tiny', 'open')
    """
    return tuple(name for name in _PRESETS if (_WEIGHTS / f"{name}.keras").is_file())


@functools.cache
def _state_license(license_: str) -> None:
    """Print one line, once a process; the notice itself lies beside the weights."""
    alike = " and ".join(name for name in trained() if _LICENSES[name] == license_)
    print(
        f"ser_keras: the weights of {alike} are licensed {license_}: {_WEIGHTS / 'NOTICE'}",
        file=sys.stderr,
    )
