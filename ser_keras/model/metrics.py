"""Quantities tracked in training and evaluation: Eq. 5's terms, accuracy, the sampled fraction."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from ser_keras.model.batch import last_instant
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
    "accuracy",
    "sampled_fraction",
    "sampled_fraction_after_first",
)


def measure(
    steps: Step, terms: Terms, losses: Tensor, instants: Tensor, labels: Tensor, weights: Tensor
) -> Measurements:
    """Measure every one of `METRICS` for each utterance of a batch.

    Args:
        steps: the cell's outputs, fields [B, T, …].
        terms: terms of Eq. 5, [B] each.
        losses: their weighted sum, float32 [B].
        instants: valid instants of each utterance, int32 [B].
        labels: true classes, int32 [B].
        weights: weights of the utterances, float32 [B].

    Returns:
        Values and their weights by metric, float32 [B] each.

    Example:
        >>> ones, instants = np.ones(1, np.float32), np.array([2])
        >>> steps = Step(*[np.ones((1, 2, 3), np.float32)] * 8)
        >>> found = measure(steps, Terms(ones, ones, ones), ones, instants, np.array([0]), ones)
        >>> found["elbo"][0].tolist()
        [-3.0]
    """
    predicted = tf.argmax(last_instant(steps.logits, instants), axis=-1, output_type=tf.int32)
    valid = tf.sequence_mask(instants, tf.shape(steps.attention)[1], dtype=tf.float32)  # [B, T]
    sampled = tf.reduce_sum(tf.reduce_mean(steps.attention, axis=-1) * valid, axis=1)  # [B]
    counts = tf.cast(instants, tf.float32)
    return {
        "loss": (losses, weights),
        "elbo": (-terms.negative_elbo(), weights),
        "generation_nll": (terms.generation, weights),
        "kl": (terms.kl, weights),
        "class_cross_entropy": (terms.classification, weights),
        # Not ==, which forgets the shape where only one side's is known.
        "accuracy": (tf.cast(tf.equal(predicted, labels), tf.float32), weights),
        "sampled_fraction": (sampled / counts, counts * weights),
        # The first instant is sampled whole, whatever the model.
        "sampled_fraction_after_first": (
            tf.math.divide_no_nan(sampled - 1.0, counts - 1.0),
            (counts - 1.0) * weights,
        ),
    }


def track(means: dict[str, keras.metrics.Mean], measured: Measurements) -> dict[str, Tensor]:
    """Add a batch to the means over utterances and return them, as a step of a Keras model does.

    Example:
        >>> means = {"loss": keras.metrics.Mean()}
        >>> float(track(means, {"loss": (np.array([1.0, 3.0]), np.array([1.0, 1.0]))})["loss"])
        2.0
    """
    for name, (values, weights) in measured.items():
        means[name].update_state(values, sample_weight=weights)
    results = {name: mean.result() for name, mean in means.items()}
    if isinstance(tf.distribute.get_strategy(), tf.distribute.MultiWorkerMirroredStrategy):
        # Keras averages them over workers along their first dimension, which a scalar lacks.
        return {name: result[tf.newaxis] for name, result in results.items()}
    return results
