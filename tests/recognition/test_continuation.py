"""The generator on its own, held to the cell."""

from __future__ import annotations

import numpy as np
import pytest

from ser_keras.model.vrnn import VRNN
from ser_keras.recognition.continuation import generate


@pytest.fixture(scope="module")
def model() -> VRNN:
    return VRNN.from_preset("tiny")


@pytest.fixture(scope="module")
def read(model: VRNN) -> np.ndarray:
    size = model.features.observation_size
    return np.random.default_rng(0).normal(size=(3, size)).astype(np.float32)


def test_a_seed_gives_one_continuation_whatever_was_drawn_before(model: VRNN, read: np.ndarray):
    first = generate(model, read, 2, seed=3)
    model.cell.seed_generator.next()
    again, other = generate(model, read, 2, seed=3), generate(model, read, 2, seed=4)
    np.testing.assert_array_equal(first.observations, again.observations)
    np.testing.assert_array_equal(first.probabilities, again.probabilities)
    assert not np.array_equal(first.observations, other.observations)
    assert model.cell.sample_latent is None


def test_frames_that_patches_share_are_not_drawn_anew(model: VRNN, read: np.ndarray):
    """The first patch is what the cell predicts, but for the new frames and the limits."""
    states = model.cell.get_initial_state(1)
    for observation in read:
        _, states = model.cell(observation[np.newaxis], states)
    predicted = states[-2].numpy()[0].reshape(model.features.patch_shape)
    made = generate(model, read, 1).observations[0].reshape(model.features.patch_shape)
    mean, scale = model.standardization.mean.numpy(), model.standardization.scale.numpy()
    shared = model.features.overlap_frames
    low, high = (-60 - mean) / scale, -mean / scale
    np.testing.assert_allclose(
        made[:shared], np.clip(predicted[:shared], low, high), rtol=1e-3, atol=1e-3
    )
    assert np.abs(made - predicted)[shared:].mean() > 0.05
    assert ((made >= low - 1e-5) & (made <= high + 1e-5)).all()


def test_it_answers_as_it_goes(model: VRNN, read: np.ndarray):
    made = generate(model, read, 3)
    assert made.probabilities.shape == (3, 8)
    np.testing.assert_allclose(made.probabilities.sum(axis=1), 1, rtol=1e-5)
