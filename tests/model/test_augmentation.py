"""Masks, filters and mixtures: their distributions, and that only training has them."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from ser_keras.errors import ConfigurationError
from ser_keras.features.augmentation import Augmentation
from ser_keras.features.spec import FeatureSpec
from ser_keras.model.augmentation import (
    KNOTS,
    Mixup,
    SpectrogramFilter,
    SpectrogramMask,
    SpectrogramNoise,
)
from ser_keras.model.settings import Architecture, Preset
from ser_keras.model.vrnn import VRNN

ONES = np.ones((400, 4, 12, 10), np.float32)
BANDS = 64
SILENCE = np.zeros((500, 3, 7, BANDS), np.float32)
B, T, D = 2000, 3, 2
# Utterance i consists of the number i, and has a class of its own.
OBSERVATIONS = np.broadcast_to(np.arange(B, dtype=np.float32)[:, None, None], (B, T, D))
LABELS = np.eye(B, dtype=np.float32)


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
        VRNN(("a", "b"), Preset(augmentation=Augmentation(band_mask=3)))


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
        VRNN(("a", "b"), Preset(features=features, augmentation=Augmentation(band_gain=3.0)))


def test_noise_is_of_every_point_and_each_utterance_has_as_much_of_its_own():
    still = np.zeros((500, 3, 40), np.float32)
    np.testing.assert_array_equal(SpectrogramNoise(0.2, seed=0)(still), still)
    noise = SpectrogramNoise(0.2, seed=0)(still, training=True).numpy().reshape(500, -1)
    deviations = noise.std(axis=1)
    # Even from 0 to 0.2, and of those 120 points an estimate.
    assert deviations.mean() == pytest.approx(0.1, rel=0.1)
    assert deviations.std() == pytest.approx(0.2 / np.sqrt(12), rel=0.1)
    assert scipy.stats.kstest((noise / deviations[:, None]).ravel(), "norm").statistic < 0.01
    assert abs(np.corrcoef(noise[:, 0], noise[:, 1])[0, 1]) < 0.15


def mix(instants: np.ndarray, alpha: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    mixed, labels = Mixup(alpha, seed=0)(OBSERVATIONS, instants, LABELS)
    return mixed.numpy(), labels.numpy()


def test_observations_are_mixed_as_the_labels_are():
    mixed, labels = mix(np.full(B, T, np.int32))
    np.testing.assert_allclose(labels.sum(axis=1), 1, rtol=1e-5)
    assert (np.count_nonzero(labels, axis=1) <= 2).all()
    expected = labels.astype(np.float64) @ np.arange(B)
    np.testing.assert_allclose(
        mixed, np.broadcast_to(expected[:, None, None], mixed.shape), rtol=1e-4
    )


def test_shares_are_of_the_upper_half_of_a_beta_distribution():
    _, labels = mix(np.full(B, T, np.int32))
    shares = labels[np.arange(B), np.arange(B)]
    assert shares.min() >= 0.5
    upper_half = scipy.stats.beta(0.3, 0.3)
    for share in (0.6, 0.8, 0.95):
        expected = 2 * (upper_half.cdf(share) - 0.5)
        assert (shares < share).mean() == pytest.approx(expected, abs=0.04)


def test_where_the_other_has_ended_an_utterance_is_alone():
    instants = np.full(B, T, np.int32)
    instants[::2] = 1
    mixed, labels = mix(instants)
    others = (labels - np.diag(np.diag(labels))).argmax(axis=1)
    ended = (instants[others] == 1) & (labels[np.arange(B), np.arange(B)] < 0.999)
    assert 0.2 < ended.mean() < 0.8
    np.testing.assert_array_equal(mixed[ended, 1:], OBSERVATIONS[ended, 1:])
    assert (mixed[ended, 0] != OBSERVATIONS[ended, 0]).all()


def test_training_mixes_and_evaluation_does_not(monkeypatch: pytest.MonkeyPatch):
    small = Architecture(4, 4, 4, 2, 0.0, 0.0, 0.0)
    model = VRNN(
        ("a", "b"), Preset(architecture=small, augmentation=Augmentation(mixup=1.0)), seed=0
    )
    model.compile(run_eagerly=True)
    seen = []
    steps = model._steps

    def spy(observations: tf.Tensor, training: bool) -> tf.Tensor:
        seen.append(observations.numpy())
        return steps(observations, training)

    monkeypatch.setattr(model, "_steps", spy)
    inputs = np.random.default_rng(0).normal(size=(8, 2, 40)).astype(np.float32)
    labels = np.arange(8) % 2
    model.adapt([inputs])
    model.evaluate(inputs, labels, verbose=0)
    model.fit(inputs, labels, verbose=0, shuffle=False)
    evaluated, trained = seen
    assert (evaluated != trained).any(axis=(1, 2)).all()
    model.mixup = None
    model.fit(inputs, labels, verbose=0, shuffle=False)
    np.testing.assert_array_equal(seen[-1], evaluated)
