"""Classes, labels and weights as `fit` is given them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

import tensorflow as tf

from ser_keras.errors import ConfigurationError
from ser_keras.fields import require
from ser_keras.model.batch import tells_labeled

Tensor = Any


def class_names(classes: Any) -> tuple[str, ...]:
    """Check the names of a model's classes.

    Args:
        classes: names, in the order of the labels.

    Raises:
        ConfigurationError: they are not two or more different names, or have no order.

    Example:
        >>> class_names(["calm", "angry"])
        ('calm', 'angry')
        >>> class_names(4)
        Traceback (most recent call last):
        ser_keras.errors.ConfigurationError: classes: expected two or more different names, ...
    """
    ordered = isinstance(classes, Iterable) and not isinstance(classes, (str, Set, Mapping))
    names = tuple(classes) if ordered else ()
    right = len(names) > 1 and all(isinstance(name, str) and name for name in names)
    found = names or classes
    expected = "two or more different names, in the order of the labels"
    require(right and len(set(names)) == len(names), "classes", found, expected)
    return tuple(map(str, names))


def class_labels(labels: Any, classes: Sequence[str]) -> Tensor:
    """Check the labels that `fit` was given and convert them to int32 [B].

    Args:
        labels: class indexes, [B] or [B, 1].
        classes: names of the emotions, in the order of the labels.

    Raises:
        ConfigurationError: labels are missing, are no numbers, or have another shape.
        tf.errors.InvalidArgumentError: when run, a label is no class index. XLA drops this check;
            `one_hot` makes up for it.

    Example:
        >>> class_labels(np.array([[1], [0]]), ["calm", "angry"]).numpy().tolist()
        [1, 0]
    """
    expected = f"expected int [B] from 0 to {len(classes) - 1} ({', '.join(classes)})"
    if labels is None:
        raise ConfigurationError(f"labels: {expected}, found none")
    labels = tf.convert_to_tensor(labels)
    if labels.dtype == tf.string:
        raise ConfigurationError(f"labels: {expected}, found strings")
    labels = tf.cast(_without_column("labels", labels, expected), tf.int32)
    check = tf.debugging.Assert(
        tf.reduce_all(_is_class(labels, len(classes))),
        [f"labels: {expected}, found from", tf.reduce_min(labels), "to", tf.reduce_max(labels)],
    )
    with tf.control_dependencies([check]):
        return tf.identity(labels)


def utterance_weights(weights: Any, losses: Tensor) -> Tensor:
    """Check the `sample_weight` that `fit` was given and convert it to float32 [B].

    Args:
        weights: numbers [B] or [B, 1]; None weighs all utterances alike.
        losses: losses of the utterances, float32 [B].

    Raises:
        ConfigurationError: the weights have another shape.

    Example:
        >>> utterance_weights(None, losses=np.zeros(2, np.float32)).numpy().tolist()
        [1.0, 1.0]
    """
    if weights is None:
        return tf.ones_like(losses)
    weights = tf.cast(tf.convert_to_tensor(weights), losses.dtype)
    return _without_column("sample_weight", weights, "expected numbers [B]")


def one_hot(labels: Tensor, classes: int) -> Tensor:
    """Convert labels, int [B], to probabilities of the classes, float32 [B, C].

    A label that is no class becomes NaN. With the zeros of `tf.one_hot` its class term would cost
    nothing, and training would go on unnoticed where labels are not checked, as within XLA.

    Example:
        >>> one_hot(np.array([1, 2]), classes=2).numpy().tolist()
        [[0.0, 1.0], [nan, nan]]
    """
    known = _is_class(labels, classes)[:, tf.newaxis]
    return tf.where(known, tf.one_hot(labels, classes), float("nan"))


def class_targets(inputs: Any, labels: Tensor, classes: int) -> Tensor:
    """Return the probabilities of the classes that the class term learns, float32 [B, C].

    They are the "targets" among the inputs, such as other models' answers, else those of labels, or
    zeros where the inputs say that nobody knows the label.

    Args:
        inputs: of the model; if a mapping, it may hold "targets", [B, C], and "labeled", bool [B].
        labels: int32 [B], checked.
        classes: C.

    Raises:
        ConfigurationError: the targets have another number of classes.

    Example:
        >>> class_targets({}, np.array([1]), classes=2).numpy().tolist()
        [[0.0, 1.0]]
        >>> class_targets({"targets": [[0.75, 0.25]]}, np.array([1]), classes=2).numpy().tolist()
        [[0.75, 0.25]]
    """
    if not (isinstance(inputs, Mapping) and "targets" in inputs):
        known = tf.cast(inputs["labeled"], tf.float32) if tells_labeled(inputs) else tf.ones(1)
        return one_hot(labels, classes) * known[:, tf.newaxis]
    targets = tf.cast(tf.convert_to_tensor(inputs["targets"]), tf.float32)
    right = targets.shape.rank == 2 and targets.shape[1] == classes
    require(right, "targets", targets.shape, f"probabilities [B, {classes}]")
    return targets


def _is_class(labels: Tensor, classes: int) -> Tensor:
    return (labels >= 0) & (labels < classes)


def _without_column(name: str, values: Tensor, expected: str) -> Tensor:
    """Return values of shape [B] or [B, 1] as [B]."""
    shape = values.shape
    if shape.rank == 2 and shape[1] == 1:
        return values[:, 0]
    if shape.rank not in (None, 1):
        found = ", ".join("B" if size is None else str(size) for size in shape)
        hint = "; labels.argmax(axis=-1) converts one-hot labels" if shape.rank == 2 else ""
        raise ConfigurationError(
            f"{name}: {expected}, found shape [{found}]{hint if name == 'labels' else ''}"
        )
    # The rank is unknown where Keras traces a step for both shapes at once.
    return values if shape.rank == 1 else tf.reshape(values, [tf.shape(values)[0]])
