"""Masks: where they lie, how wide they are, and that only training has them."""

from __future__ import annotations

import numpy as np
import pytest

from ser_keras.errors import ConfigurationError
from ser_keras.features.augmentation import Augmentation
from ser_keras.model.augmentation import SpectrogramMask
from ser_keras.model.settings import Preset
from ser_keras.model.vrnn import VRNN

ONES = np.ones((400, 4, 12, 10), np.float32)


def runs_of(hidden: np.ndarray) -> int:
    """How many separate stretches are hidden."""
    return int(np.sum(np.diff(np.concatenate([[0], hidden.astype(int)])) == 1))


def test_nothing_is_hidden_in_use():
    np.testing.assert_array_equal(SpectrogramMask(3, 4, seed=0)(ONES), ONES)


def test_a_band_mask_is_the_same_at_every_instant_and_never_wider():
    masked = SpectrogramMask(3, 0, seed=0)(ONES, training=True).numpy()
    assert set(np.unique(masked)) == {0.0, 1.0}
    hidden = masked == 0
    assert (hidden == hidden[:, :1, :1]).all()
    widths = hidden[:, 0, 0].sum(axis=1)
    assert set(widths) == {0, 1, 2, 3}
    assert all(runs_of(utterance) <= 1 for utterance in hidden[:, 0, 0])
    assert hidden.any(axis=(0, 1, 2)).all()  # every band at some time


def test_a_frame_mask_is_another_in_every_patch():
    hidden = SpectrogramMask(0, 4, seed=0)(ONES, training=True).numpy()[..., 0] == 0
    assert set(hidden.sum(axis=2).ravel()) == {0, 1, 2, 3, 4}
    assert all(runs_of(patch) <= 1 for patch in hidden.reshape(-1, 12))
    assert (hidden[:, 0] != hidden[:, 1]).any()


def test_masks_need_patches():
    with pytest.raises(ConfigurationError, match="band_mask, frame_mask: expected"):
        VRNN("ab", Preset(augmentation=Augmentation(band_mask=3)))
