"""The terms of Eq. 5 against closed forms written out, SciPy and a naive loop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from ser_keras.model import objective as eq5
from ser_keras.model.cell import Step
from ser_keras.model.settings import Objective

B, T, D, Z, C = 4, 5, 6, 3, 4
INSTANTS = np.array([5, 1, 3, 2], np.int32)
LABELS = np.array([0, 3, 1, 2], np.int32)


@pytest.fixture
def steps() -> Step:
    random = np.random.default_rng(0)
    sizes = Step.sizes(D, Z, C)
    return Step(*[tf.constant(random.normal(size=(B, T, s)).astype(np.float32)) for s in sizes])


@pytest.fixture
def observations() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(B, T, D)).astype(np.float32)


def naive(steps: Step, observations: np.ndarray, every_instant: bool) -> np.ndarray:
    """Eq. 5's sums, one utterance and one instant after the other, in double precision."""
    mu, log_sigma = (
        np.asarray(steps.posterior_mean, dtype=np.float64),
        np.asarray(steps.posterior_log_scale, dtype=np.float64),
    )
    mean, log_scale = (
        np.asarray(steps.next_mean, dtype=np.float64),
        np.asarray(steps.next_log_scale, dtype=np.float64),
    )
    logits = np.asarray(steps.logits, dtype=np.float64)
    results = []
    for b, length in enumerate(INSTANTS):
        generation = kl = classification = 0.0
        for t in range(length):
            if t + 1 < length:
                normal = scipy.stats.norm(mean[b, t], np.exp(log_scale[b, t]))
                generation -= normal.logpdf(observations[b, t + 1]).sum()
            # KL(N(μ, σ²) ‖ N(0, 1)) = ½ (σ² + μ² − 1 − log σ²), Kingma & Welling 2014, appendix B
            variance = np.exp(2 * log_sigma[b, t])
            kl += 0.5 * np.sum(variance + mu[b, t] ** 2 - 1 - 2 * log_sigma[b, t])
            if every_instant or t + 1 == length:
                exponent = np.exp(logits[b, t])
                classification -= np.log(exponent[LABELS[b]] / exponent.sum())
        results.append((generation, kl, classification))
    return np.array(results)


@pytest.mark.io_stack
@pytest.mark.parametrize("class_term", ["last", "every"])
def test_terms_equal_the_closed_forms(steps: Step, observations: np.ndarray, class_term: str):
    terms = eq5.terms(steps, observations, INSTANTS, LABELS, Objective(class_term=class_term))
    expected = naive(steps, observations, class_term == "every")
    np.testing.assert_allclose(np.stack(terms, axis=-1), expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("likelihood", "expected"),
    [("laplace", scipy.stats.laplace()), ("student-t", scipy.stats.t(4))],
)
def test_heavier_tails_equal_scipys(
    steps: Step, observations: np.ndarray, likelihood: str, expected: Any
):
    objective = Objective(likelihood=likelihood)
    found = eq5.terms(steps, observations, INSTANTS, LABELS, objective).generation
    scale = np.exp(np.asarray(steps.next_log_scale, float))
    errors = np.roll(observations, -1, axis=1) - np.asarray(steps.next_mean, float)
    costs = np.log(scale) - expected.logpdf(errors / scale)
    counted = np.arange(T) < INSTANTS[:, np.newaxis] - 1
    np.testing.assert_allclose(found, (costs.sum(axis=-1) * counted).sum(axis=1), rtol=1e-5)


@pytest.mark.parametrize("class_term", ["last", "every"])
def test_a_mixed_label_costs_the_mixture_of_both_costs(
    steps: Step, observations: np.ndarray, class_term: str
):
    objective = Objective(class_term=class_term, label_smoothing=0.1)
    others = np.roll(LABELS, 1)
    first, second = (
        eq5.terms(steps, observations, INSTANTS, labels, objective).classification
        for labels in (LABELS, others)
    )
    mixed = 0.7 * np.eye(C)[LABELS] + 0.3 * np.eye(C)[others]
    found = eq5.terms(steps, observations, INSTANTS, mixed.astype(np.float32), objective)
    np.testing.assert_allclose(found.classification, 0.7 * first + 0.3 * second, rtol=1e-5)


def test_padding_weighs_exactly_nothing(steps: Step, observations: np.ndarray):
    plain = eq5.terms(steps, observations, INSTANTS, LABELS, Objective())
    padding = np.arange(T)[np.newaxis, :, np.newaxis] >= INSTANTS[:, np.newaxis, np.newaxis]
    spoilt = Step(*[tf.where(padding, 7.0, field) for field in steps])
    other = eq5.terms(
        spoilt,
        np.where(padding, 1e4, observations).astype(np.float32),
        INSTANTS,
        LABELS,
        Objective(),
    )
    for one, two in zip(plain, other, strict=True):
        np.testing.assert_array_equal(one, two)


def test_the_loss_weighs_the_terms_as_the_paper_does():
    terms = eq5.Terms(tf.constant([3.0]), tf.constant([5.0]), tf.constant([7.0]))
    assert terms.loss(Objective()).numpy()[0] == 3 + 5 + 50 * 7
    weighted = Objective(generation_weight=2, kl_weight=0.5, classification_weight=1)
    assert terms.loss(weighted).numpy()[0] == 6 + 2.5 + 7
    assert terms.negative_elbo().numpy()[0] == 15


def test_a_single_instant_generates_nothing():
    sizes = Step.sizes(D, Z, C)
    steps = Step(*[tf.ones((1, 1, size)) for size in sizes])
    terms = eq5.terms(steps, tf.ones((1, 1, D)), np.array([1]), np.array([0]), Objective())
    assert terms.generation.numpy()[0] == 0
    assert np.isfinite(terms.loss(Objective()).numpy()[0])
