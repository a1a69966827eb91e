"""Quantities tracked in training and evaluation: Eq. 5's terms and the sampled fraction."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from ser_keras.model.cell import Step
from ser_keras.model.objective import Terms

Tensor = Any
Measurements = dict[str, tuple[Tensor, Tensor]]  # values and weights of a mean over utterances

METRICS = (
    "loss",
    "elbo",
    "generation_nll",
    "kl",
    "class_cross_entropy",
    "sampled_fraction",
    "sampled_fraction_after_first",
)


def measure(
    steps: Step, terms: Terms, losses: Tensor, instants: Tensor, weights: Tensor
) -> Measurements:
    """Measure every one of `METRICS` for each utterance of a batch.

    Weights of utterances count as in Keras: they scale the loss and its terms, whose sum is divided
    by the number of utterances, and leave the other metrics alone.

    Args:
        steps: the cell's outputs, fields [B, T, …].
        terms: terms of Eq. 5, [B] each.
        losses: their weighted sum, float32 [B].
        instants: valid instants of each utterance, int32 [B].
        weights: weights of the utterances, float32 [B].

    Returns:
        Values and their weights by metric, float32 [B] each.

    Example:
        >>> ones, instants = np.ones(1, np.float32), np.array([2])
        >>> steps = Step(*[np.ones((1, 2, 3), np.float32)] * 8)
        >>> found = measure(steps, Terms(ones, ones, ones), ones, instants, ones)
        >>> found["elbo"][0].tolist()
        [-3.0]
    """
    valid = tf.sequence_mask(instants, tf.shape(steps.attention)[1], dtype=tf.float32)  # [B, T]
    sampled = tf.reduce_sum(tf.reduce_mean(steps.attention, axis=-1) * valid, axis=1)  # [B]
    counts, ones = tf.cast(instants, tf.float32), tf.ones_like(losses)
    return {
        "loss": (losses * weights, ones),
        "elbo": (-terms.negative_elbo() * weights, ones),
        "generation_nll": (terms.generation * weights, ones),
        "kl": (terms.kl * weights, ones),
        "class_cross_entropy": (terms.classification * weights, ones),
        "sampled_fraction": (sampled / counts, counts),
        # The first instant is sampled whole, whatever the model.
        "sampled_fraction_after_first": (
            tf.math.divide_no_nan(sampled - 1.0, counts - 1.0),
            counts - 1.0,
        ),
    }


def track(means: dict[str, keras.metrics.Mean], measured: Measurements) -> None:
    """Add a batch to the means over utterances.

    Example:
        >>> means = {"loss": keras.metrics.Mean()}
        >>> track(means, {"loss": (np.array([1.0, 3.0]), np.array([1.0, 1.0]))})
        >>> float(means["loss"].result())
        2.0
    """
    for name, (values, weights) in measured.items():
        means[name].update_state(values, sample_weight=weights)
