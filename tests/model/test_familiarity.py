"""Surprisals are TFP's densities, and familiarity is their place among what has been heard."""

from __future__ import annotations

import numpy as np
import pytest
from tensorflow_probability import distributions as tfd

from ser_keras.model.familiarity import Familiarity, surprisal

DISTRIBUTIONS = {
    "gaussian": lambda mean, scale: tfd.Normal(mean, scale),
    "laplace": lambda mean, scale: tfd.Laplace(mean, scale),
    "student-t": lambda mean, scale: tfd.StudentT(4.0, mean, scale),
}


@pytest.mark.parametrize("likelihood", DISTRIBUTIONS)
def test_the_surprisal_is_the_mean_cost_by_tfp(likelihood: str):
    random = np.random.default_rng(0)
    observation, mean, log_scale = random.normal(0, 2, (3, 5, 7)).astype(np.float32)
    expected = -DISTRIBUTIONS[likelihood](mean, np.exp(log_scale)).log_prob(observation)
    found = surprisal(np.abs(observation - mean), log_scale, likelihood)
    np.testing.assert_allclose(found, np.mean(expected, axis=-1), rtol=1e-4)


def test_familiarity_is_the_share_of_more_surprising_recordings():
    heard = np.random.default_rng(0).normal(size=10_000)
    familiarity = Familiarity.among([*heard, np.nan, np.inf])
    for surprise in (-5.0, -1.0, 0.3, 2.0, 9.0):
        assert familiarity.of(surprise) == pytest.approx((heard >= surprise).mean(), abs=0.01)
