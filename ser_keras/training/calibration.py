"""Calibration: probabilities that are as high as the share of right answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.optimize
import scipy.special
import tensorflow as tf

from ser_keras.model.vrnn import VRNN
from ser_keras.training.tracing import traced


def calibrate(model: VRNN, data: tf.data.Dataset) -> float:
    """Set the temperature that a model divides its logits by, and return it.

    It minimises the cross-entropy at the last instants of `data`, which the model was not trained
    on (Guo et al. 2017, arXiv:1706.04599, section 4.2). The answers stay the same; their
    probabilities become less certain by a temperature above 1, and more certain by one below.

    Example:
        >>> copy = ser.VRNN(model.classes, model.preset)
        >>> held_out = ser.pipeline.dataset(corpus, model.features, cache=False, progress=False)
        >>> copy.adapt(held_out)
        >>> bool(np.isclose(calibrate(copy, held_out), copy.cell.temperature))
        True
    """
    temperature = best_temperature(*answers(model, data))
    model.cell.temperature.assign(temperature)
    return temperature


def answers(model: VRNN, data: tf.data.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Compute logits at the last instants without temperature, float32 [N, C]; labels, int32 [N].

    Example:
        >>> data = ser.pipeline.dataset(corpus, model.features, cache=False, progress=False)
        >>> [values.shape for values in answers(model, data)]
        [(32, 8), (32,)]
    """
    temperature = model.cell.temperature.numpy()
    logits_of = traced(lambda inputs: model(inputs)["logits"], data)
    found = [(logits_of(inputs).numpy(), labels.numpy()) for inputs, labels in data]
    logits, labels = (np.concatenate(batches) for batches in zip(*found, strict=True))
    return logits * temperature, labels


def best_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the temperature of least cross-entropy of logits, [N, C], with labels, int [N].

    It is 1 where a model has diverged to NaN.

    Example:
        >>> logits = np.array([[4.0, 0.0]] * 3)  # certain of the first class, by 98 %
        >>> round(best_temperature(logits, np.array([0, 0, 1])), 1)  # right by 67 %
        5.8
    """
    if not np.isfinite(logits).all():
        return 1.0

    def cost(log_temperature: float) -> float:
        return cross_entropy(logits, labels, np.exp(log_temperature))

    bounds = np.log([0.05, 20.0])  # beyond, a model is certain of everything or of nothing
    found: Any = scipy.optimize.minimize_scalar(cost, bounds=bounds, method="bounded")
    return float(np.exp(found.x))


def cross_entropy(logits: np.ndarray, labels: np.ndarray, temperature: float) -> float:
    """Return the mean cross-entropy, in nats, of logits, [N, C], with labels, int [N].

    Example:
        >>> round(cross_entropy(np.array([[0.0, 0.0]]), np.array([1]), temperature=2.0), 3)
        0.693
    """
    scaled = scipy.special.log_softmax(logits / temperature, axis=1)
    return -float(scaled[np.arange(len(labels)), labels].mean())
