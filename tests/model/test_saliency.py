"""Eq. 2-4 against plain NumPy, and their edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ser_keras.model import saliency

FLOATS = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 4), st.integers(2, 50)),
    elements=st.floats(-1e3, 1e3, width=32),
)


def test_saliency_is_the_absolute_error():
    observation = np.array([[1.0, -2.0, 0.5]], np.float32)
    prediction = np.array([[0.5, -3.0, 2.0]], np.float32)
    np.testing.assert_allclose(
        saliency.saliency_map(observation, prediction), [[0.5, 1.0, 1.5]], rtol=1e-6
    )


def test_attends_where_the_error_reaches_its_mean():
    errors = np.array([[1.0, 2.0, 3.0, 0.0], [4.0, 0.0, 0.0, 0.0]], np.float32)
    np.testing.assert_array_equal(saliency.attention_weights(errors), [[0, 1, 1, 0], [1, 0, 0, 0]])


@pytest.mark.parametrize("error", [0.0, 0.1, 1 / 3, 7.7e-20, 3.3e20])
@pytest.mark.parametrize("size", [3, 7, 40, 513])
def test_equal_errors_are_all_sampled(error: float, size: int):
    errors = np.full((2, size), error, np.float32)
    np.testing.assert_array_equal(saliency.attention_weights(errors), np.ones((2, size)))


def test_a_single_large_error_is_sampled_alone():
    errors = np.full((1, 40), 0.01, np.float32)
    errors[0, 17] = 100.0
    attention = np.asarray(saliency.attention_weights(errors))
    assert attention.sum() == 1
    assert attention[0, 17] == 1


@settings(max_examples=60, deadline=None)
@given(FLOATS)
def test_something_is_always_sampled_and_weights_are_binary(errors: np.ndarray):
    attention = np.asarray(saliency.attention_weights(np.abs(errors)))
    assert set(np.unique(attention)) <= {0.0, 1.0}
    assert np.all(attention.max(axis=-1) == 1)


def test_the_share_sampled_of_a_gaussian_error_is_known():
    # P(|e| ≥ E|e|) for e ~ N(0, 1) is 2 (1 − Φ(sqrt(2 / π))) = 0.4249.
    errors = np.abs(np.random.default_rng(0).normal(size=(2000, 400))).astype(np.float32)
    assert np.mean(saliency.attention_weights(errors)) == pytest.approx(0.4249, abs=2e-3)


def test_sees_the_truth_where_it_attends_and_its_prediction_elsewhere():
    observation = np.array([[1.0, 2.0, 3.0]], np.float32)
    prediction = np.array([[-1.0, -2.0, -3.0]], np.float32)
    attention = np.array([[1.0, 0.0, 1.0]], np.float32)
    np.testing.assert_array_equal(
        saliency.sample_observation(observation, prediction, attention), [[1.0, -2.0, 3.0]]
    )
