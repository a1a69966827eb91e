"""The layers that change what a model learns from, anew at every training step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from ser_keras.model.augmentation import Mixup, SpectrogramFilter, SpectrogramMask, SpectrogramNoise
from ser_keras.model.settings import Preset
from ser_keras.model.warping import SpectrogramWarp

Tensor = Any


class StepwiseLayers(NamedTuple):
    """The layers that a preset asks for, None for the others, in the order of their use.

    Example:
        >>> stepwise_layers(ser.Preset(), seed=0)
        StepwiseLayers(warp=None, filter=None, mixup=None, noise=None, mask=None)
    """

    warp: SpectrogramWarp | None
    filter: SpectrogramFilter | None
    mixup: Mixup | None
    noise: SpectrogramNoise | None
    mask: SpectrogramMask | None


def stepwise_layers(preset: Preset, seed: int | None) -> StepwiseLayers:
    """Create the layers that a preset's augmentation asks for.

    Example:
        >>> layers = stepwise_layers(ser.presets.TINY, seed=0)
        >>> layers.filter.gain, layers.mask.bands, layers.mixup.alpha
        (6.0, 5, 0.3)
    """
    # Seeds of their own: masks and filters must not follow from the same numbers.
    filter_seed, mixup_seed, warp_seed, noise_seed = (
        np.random.SeedSequence(seed).spawn(1)[0].generate_state(4).tolist()
        if seed is not None
        else [None] * 4
    )
    options, features = preset.augmentation, preset.features
    masks = options.band_mask or options.frame_mask
    warp = None
    if options.tempo or options.tract:
        frequencies = features.band_frequencies or []  # which `Preset` has made sure of
        overlap = features.overlap_frames
        warp = SpectrogramWarp(options.tempo, options.tract, overlap, frequencies, warp_seed)
    return StepwiseLayers(
        warp=warp,
        filter=SpectrogramFilter(options.band_gain, filter_seed) if options.band_gain else None,
        mixup=Mixup(options.mixup, mixup_seed) if options.mixup else None,
        noise=SpectrogramNoise(options.point_noise, noise_seed) if options.point_noise else None,
        mask=SpectrogramMask(options.band_mask, options.frame_mask, seed) if masks else None,
    )


def alter(
    patches: Tensor,
    instants: Tensor,
    warp: SpectrogramWarp | None,
    filtering: SpectrogramFilter | None,
    training: bool,
) -> tuple[Tensor, Tensor]:
    """Return other patches, [B, T, *shape], and instants, [B], that a model is to learn from.

    Example:
        >>> alter(np.ones((1, 3, 2, 4), np.float32), np.array([3]), None, None, True)[1].tolist()
        [3]
    """
    if training and warp is not None:
        patches, instants = warp(patches, instants, training=True)
    if training and filtering is not None:
        patches = filtering(patches, training=True)
    return patches, instants


def disturb(
    observations: Tensor,
    shape: Sequence[int],
    noise: SpectrogramNoise | None,
    mask: SpectrogramMask | None,
    training: bool,
) -> Tensor:
    """Return what a model is to see of observations, [B, T, D], that have a `shape` of their own.

    Example:
        >>> mask = SpectrogramMask(bands=0, frames=1, seed=0)
        >>> disturb(np.ones((1, 3, 8), np.float32), (2, 4), None, mask, True).shape
        TensorShape([1, 3, 8])
    """
    if not training:
        return observations
    batch, length, size = ops.shape(observations)
    patches = ops.reshape(observations, (batch, length, *shape))
    for layer in (noise, mask):
        if layer is not None:
            patches = layer(patches, training=True)
    return ops.reshape(patches, (batch, length, size))
