"""The layers that augment anew at every step of training."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ser_keras.features.augmentation import Augmentation
from ser_keras.model.filtering import SpectrogramFilter
from ser_keras.model.masking import SpectrogramMask
from ser_keras.model.mixup import Mixup


class StepwiseAugmentation(NamedTuple):
    """In the order in which an utterance meets them; each is None where it is not asked for."""

    filter: SpectrogramFilter | None
    mask: SpectrogramMask | None
    mixup: Mixup | None

    @classmethod
    def of(cls, options: Augmentation, seed: int | None) -> StepwiseAugmentation:
        """Make the layers that the options ask for."""
        # Seeds of their own: masks and filters must not follow from the same numbers.
        filter_seed, mixup_seed = (
            np.random.SeedSequence(seed).spawn(1)[0].generate_state(2).tolist()
            if seed is not None
            else (None, None)
        )
        masks = options.band_mask or options.frame_mask
        return cls(
            filter=SpectrogramFilter(options.band_gain, filter_seed) if options.band_gain else None,
            mask=SpectrogramMask(options.band_mask, options.frame_mask, seed) if masks else None,
            mixup=Mixup(options.mixup, mixup_seed) if options.mixup else None,
        )
