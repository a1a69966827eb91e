"""Mixtures: of what, how much of each, and what the objective makes of them."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from ser_keras.features.augmentation import Augmentation
from ser_keras.model.augmentation import Mixup
from ser_keras.model.settings import Architecture, Preset
from ser_keras.model.vrnn import VRNN

B, T, D = 2000, 3, 2
# Utterance i consists of the number i, and has a class of its own.
OBSERVATIONS = np.broadcast_to(np.arange(B, dtype=np.float32)[:, None, None], (B, T, D))
LABELS = np.eye(B, dtype=np.float32)


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
    model = VRNN("ab", Preset(architecture=small, augmentation=Augmentation(mixup=1.0)), seed=0)
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
