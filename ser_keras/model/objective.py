"""The terms of Eq. 5, from the stored outputs of every step, with padding masked out."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import tensorflow as tf

from ser_keras.model.batch import last_instant
from ser_keras.model.cell import Step
from ser_keras.model.gaussian import diagonal_gaussian
from ser_keras.model.labels import one_hot
from ser_keras.model.settings import Objective

Tensor = Any

# Of Student's t: the fewest with all moments up to the third.
DEGREES_OF_FREEDOM = 4.0


class Terms(NamedTuple):
    """Costs of each utterance, float32 [B] in nats: the smaller, the better.

    Example:
        >>> Terms(generation=3.0, kl=5.0, classification=7.0).loss(Objective())
        358.0
    """

    generation: Tensor  # −Σ_t log N(X_{t+1}; m_{t+1}, diag s²_{t+1}), over t = 1 … T−1
    kl: Tensor  # Σ_t KL(N(μ_t, diag σ_t²) ‖ N(0, I)), over t = 1 … T
    classification: Tensor  # −log p(y), at the last instant or summed over all

    def loss(self, objective: Objective) -> Tensor:
        """Return the negative of Eq. 5, [B]."""
        return (
            objective.generation_weight * self.generation
            + objective.classification_weight * self.classification
            + objective.kl_weight * self.kl
        )

    def negative_elbo(self) -> Tensor:
        """Return the loss with all weights one, a bound on the likelihood of sound and label."""
        return self.generation + self.kl + self.classification


def terms(
    steps: Step, observations: Tensor, instants: Tensor, labels: Tensor, objective: Objective
) -> Terms:
    """Compute the three terms of Eq. 5 for every utterance; padding contributes exactly nothing.

    Args:
        steps: the cell's outputs, fields [B, T, …].
        observations: standardized observations X, float32 [B, T, D].
        instants: valid instants of each utterance, int32 [B], at least 1; the rest is padding.
        labels: true classes, int32 [B], or probabilities of the classes, float32 [B, C]. A label
            that is no class makes the class term NaN; probabilities that add up to less than one
            make it as much smaller, zeros nothing, as λ2 = 0 does.
        objective: its `likelihood`, `class_term` and `label_smoothing` count here, its weights in
            `Terms.loss`.

    Example:
        >>> steps = Step(*[np.zeros((1, 2, 4), np.float32)] * 8)
        >>> zeros = np.zeros((1, 2, 4), np.float32)
        >>> found = terms(steps, zeros, np.array([2]), np.array([0]), Objective())
        >>> [round(float(term[0]), 3) for term in found]  # 2 log 2π, no divergence, log 4
        [3.676, 0.0, 1.386]
    """
    from tensorflow_probability import distributions as tfd  # see `gaussian`

    labels = tf.convert_to_tensor(labels)
    if labels.dtype.is_integer:
        labels = one_hot(labels, steps.logits.shape[-1])
    valid = tf.sequence_mask(instants, tf.shape(observations)[1], dtype=tf.float32)

    # Generation: log p(X_{t+1}), of location m_{t+1} and scale s_{t+1}. The prediction of the last
    # instant has nothing to be compared with; it is masked, since the gradient of a slice copies
    # all of it.
    element = {
        "gaussian": tfd.Normal,
        "laplace": tfd.Laplace,
        "student-t": partial(tfd.StudentT, DEGREES_OF_FREEDOM),
    }[objective.likelihood]
    elements = element(steps.next_mean, tf.exp(steps.next_log_scale))
    likelihood = tfd.Independent(elements, reinterpreted_batch_ndims=1)
    following = tf.concat([observations[:, 1:], tf.zeros_like(observations[:, :1])], axis=1)
    followed = tf.concat([valid[:, 1:], tf.zeros_like(valid[:, :1])], axis=1)
    generation = -_sum_where(likelihood.log_prob(following), followed)

    # KL divergence of q(z_t | x_1…t) from the prior N(0, I).
    posterior = diagonal_gaussian(steps.posterior_mean, steps.posterior_log_scale)
    prior = diagonal_gaussian(
        tf.zeros_like(steps.posterior_mean), tf.zeros_like(steps.posterior_log_scale)
    )
    kl = _sum_where(tfd.kl_divergence(posterior, prior), valid)

    if objective.class_term == "last":
        logits = last_instant(steps.logits, instants)
        classification = _cross_entropy(logits, labels, objective.label_smoothing)
    else:
        costs = _cross_entropy(steps.logits, labels[:, tf.newaxis], objective.label_smoothing)
        classification = _sum_where(costs, valid)
    return Terms(generation, kl, classification)


def _cross_entropy(logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    """Return the cost [...] of logits and labels [..., C], `smoothing` of each spread evenly."""
    log_probabilities = tf.nn.log_softmax(logits)
    cost = -tf.reduce_sum(labels * log_probabilities, axis=-1)
    if smoothing:
        spread = -tf.reduce_mean(log_probabilities, axis=-1) * tf.reduce_sum(labels, axis=-1)
        cost = (1.0 - smoothing) * cost + smoothing * spread
    return cost


def _sum_where(values: Tensor, valid: Tensor) -> Tensor:
    """Sum the valid values over instants: [B, T] to [B]."""
    # A product would let an infinite value under the padding through as NaN.
    return tf.reduce_sum(tf.where(valid > 0, values, 0.0), axis=1)
