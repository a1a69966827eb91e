"""The layers that augment while training, as a preset asks for them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ser_keras.configuration import Preset
from ser_keras.errors import ConfigurationError
from ser_keras.filtering import SpectrogramFilter
from ser_keras.masking import SpectrogramMask
from ser_keras.mixup import Mixup


class AugmentingLayers(NamedTuple):
    """Each is None where the preset does without it."""

    filter: SpectrogramFilter | None
    mask: SpectrogramMask | None
    mixup: Mixup | None


def augmenting_layers(preset: Preset, seed: int | None) -> AugmentingLayers:
    """Make the layers.

    Raises:
        ConfigurationError: filters or masks are asked for where observations are not such that
            they have bands to filter or to mask.
    """
    options, features = preset.augmentation, preset.features
    masks = bool(options.band_mask or options.frame_mask)
    if masks and features.statistics:
        raise ConfigurationError(
            "band_mask, frame_mask: expected features with statistics=(), patches; "
            f"found {features.statistics}"
        )
    if options.band_gain and (features.statistics or features.kind != "log-mel"):
        raise ConfigurationError(
            "band_gain: expected log-mel features with statistics=(), patches; "
            f"found {features.kind} with {features.statistics}"
        )
    # Seeds of their own: masks and filters must not follow from the same numbers.
    filter_seed, mixup_seed = (
        np.random.SeedSequence(seed).spawn(1)[0].generate_state(2).tolist()
        if seed is not None
        else (None, None)
    )
    return AugmentingLayers(
        filter=SpectrogramFilter(options.band_gain, filter_seed) if options.band_gain else None,
        mask=SpectrogramMask(options.band_mask, options.frame_mask, seed) if masks else None,
        mixup=Mixup(options.mixup, mixup_seed) if options.mixup else None,
    )
