"""What a batch is trained towards: true classes, and what each utterance counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from ser_keras.errors import ConfigurationError

Tensor = Any


def class_labels(labels: Any, classes: Sequence[str]) -> Tensor:
    """True classes as the model takes them, having made sure that there are such classes.

    Args:
        labels: as `fit` takes them: numbers [B] or [B, 1].
        classes: names of the emotions, in the order of the labels.

    Returns:
        int32 [B].

    Raises:
        ConfigurationError: there are none, they are no numbers, or are of another shape.
        tf.errors.InvalidArgumentError: on running: one is not the number of a class. XLA drops
            this check; `one_hot` makes up for it.
    """
    expected = f"expected int [B], 0 to {len(classes) - 1} for {', '.join(classes)}"
    if labels is None:
        raise ConfigurationError(f"labels: found none, {expected}")
    labels = tf.convert_to_tensor(labels)
    if labels.dtype == tf.string:
        raise ConfigurationError(f"labels: found strings, {expected}")
    labels = tf.cast(_one_of_each("labels", labels, expected), tf.int32)
    check = tf.debugging.Assert(
        tf.reduce_all(_is_class(labels, len(classes))),
        ["labels: found from", tf.reduce_min(labels), "to", tf.reduce_max(labels), expected],
    )
    with tf.control_dependencies([check]):
        return tf.identity(labels)


def utterance_weights(weights: Any, losses: Tensor) -> Tensor:
    """What each utterance of a batch counts.

    Args:
        weights: as `fit` takes `sample_weight`: numbers [B] or [B, 1]; None: all count the same.
        losses: of the utterances, float32 [B].

    Returns:
        float32 [B].

    Raises:
        ConfigurationError: the weights are of another shape.
    """
    if weights is None:
        return tf.ones_like(losses)
    weights = tf.cast(tf.convert_to_tensor(weights), losses.dtype)
    return _one_of_each("sample_weight", weights, "expected numbers [B]")


def one_hot(labels: Tensor, classes: int) -> Tensor:
    """Labels as probabilities of the classes: int [B] to float32 [B, C].

    What is no class is NaN. Of zeros, as `tf.one_hot` has it, the class term would cost nothing and
    training would go on as if nothing were wrong wherever nobody checks, as within XLA.
    """
    inside = _is_class(labels, classes)[:, tf.newaxis]
    return tf.where(inside, tf.one_hot(labels, classes), float("nan"))


def _is_class(labels: Tensor, classes: int) -> Tensor:
    return (labels >= 0) & (labels < classes)


def _one_of_each(name: str, values: Tensor, expected: str) -> Tensor:
    """[B] of [B] or [B, 1]."""
    shape = values.shape
    if shape.rank == 2 and shape[1] == 1:
        return values[:, 0]
    if shape.rank == 2 and name == "labels":
        expected += "; of one-hot labels take labels.argmax(axis=-1)"
    if shape.rank not in (None, 1):
        found = ", ".join("B" if size is None else str(size) for size in shape)
        raise ConfigurationError(f"{name}: found shape [{found}], {expected}")
    # The rank is unknown where Keras traces a step for both shapes at once.
    return values if shape.rank == 1 else tf.reshape(values, [tf.shape(values)[0]])
