"""Random filters: zero in the mean, the same at all instants, and that only training has them."""

from __future__ import annotations

import numpy as np
import pytest

from ser_keras.errors import ConfigurationError
from ser_keras.features.augmentation import Augmentation
from ser_keras.features.spec import FeatureSpec
from ser_keras.model.augmentation import KNOTS, SpectrogramFilter
from ser_keras.model.settings import Preset
from ser_keras.model.vrnn import VRNN

BANDS = 64
SILENCE = np.zeros((500, 3, 7, BANDS), np.float32)


def test_nothing_is_filtered_in_use():
    np.testing.assert_array_equal(SpectrogramFilter(6.0, seed=0)(SILENCE), SILENCE)


def test_an_utterance_has_one_filter_of_its_own_that_leaves_its_level():
    gains = SpectrogramFilter(6.0, seed=0)(SILENCE, training=True).numpy()
    np.testing.assert_array_equal(gains, np.broadcast_to(gains[:, :1, :1], gains.shape))
    curves = gains[:, 0, 0]
    assert len(np.unique(curves[:, 0])) == len(curves)
    np.testing.assert_allclose(curves.mean(axis=1), 0, atol=1e-5)


def test_gains_are_even_between_their_bounds_and_linear_between_the_knots():
    curves = SpectrogramFilter(6.0, seed=0)(SILENCE, training=True).numpy()[:, 0, 0]
    knots = np.linspace(0, BANDS - 1, KNOTS)
    # Knots lie between bands: the lines through the bands next to them meet there.
    at_bands = np.rint(knots).astype(int)
    drawn = np.stack([np.interp(np.arange(BANDS), knots, curve[at_bands]) for curve in curves])
    np.testing.assert_allclose(curves, drawn, atol=1.0)
    # Two knots differ by the difference of two even draws: of standard deviation 12 / sqrt(6) dB.
    differences = curves[:, 0] - curves[:, -1]
    assert np.abs(differences).max() <= 12.0
    assert differences.std() == pytest.approx(12 / np.sqrt(6), rel=0.1)


@pytest.mark.parametrize(
    "features", [FeatureSpec(), FeatureSpec(kind="mfcc", statistics=()), FeatureSpec("log-mel")]
)
def test_filters_need_patches_of_mel_bands(features: FeatureSpec):
    with pytest.raises(ConfigurationError, match="band_gain: expected log-mel"):
        VRNN("ab", Preset(features=features, augmentation=Augmentation(band_gain=3.0)))
