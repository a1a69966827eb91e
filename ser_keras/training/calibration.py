"""Probabilities that mean what they say: a temperature, and how far they are off."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.optimize
import scipy.special
import tensorflow as tf

from ser_keras.model.vrnn import VRNN

# Temperatures looked for: beyond, a model is certain of everything or of nothing.
LOWEST, HIGHEST = 0.05, 20.0

BINS = 15  # as Guo et al.


def calibrate(model: VRNN, data: tf.data.Dataset) -> float:
    """Fit the temperature that the model divides its logits by, and leave it in the model.

    It minimises the cross-entropy at the last instants (Guo et al. 2017, arXiv:1706.04599,
    section 4.2). The answers stay the same, their probabilities become less or more certain.

    Args:
        model: a trained model.
        data: batches of inputs and labels that it was not trained on.

    Returns:
        The temperature; above 1 the model was too certain.
    """
    temperature = best_temperature(*answers(model, data))
    model.cell.temperature.assign(temperature)
    return temperature


def answers(model: VRNN, data: tf.data.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Logits at the last instants before any temperature, float32 [N, C], and labels, int32 [N]."""
    temperature = model.cell.temperature.numpy()
    found = [(model(inputs)["logits"].numpy(), labels.numpy()) for inputs, labels in data]
    logits, labels = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return logits * temperature, labels


def best_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature of least cross-entropy, of logits [N, C] and labels [N].

    It is 1 where a logit is no finite number, of a model that has diverged.
    """
    if not np.isfinite(logits).all():
        return 1.0

    def cross_entropy(log_temperature: float) -> float:
        scaled = scipy.special.log_softmax(logits / np.exp(log_temperature), axis=1)
        return -float(scaled[np.arange(len(labels)), labels].mean())

    found: Any = scipy.optimize.minimize_scalar(
        cross_entropy, bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded"
    )
    return float(np.exp(found.x))


def expected_calibration_error(
    probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS
) -> float:
    """How far confidence and accuracy lie apart on average (Guo et al. 2017, Eq. 3).

    Args:
        probabilities: [N, C].
        labels: true classes, int [N].
        bins: of equal width, that answers are sorted into by their confidence.

    Returns:
        0 (calibrated) to 1; NaN where a probability is.
    """
    confidence = probabilities.max(axis=1)
    if np.isnan(confidence).any():
        return float("nan")
    correct = probabilities.argmax(axis=1) == labels
    places = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = np.bincount(places, weights=correct - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))
