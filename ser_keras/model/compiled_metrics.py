"""Keras' metrics on the probabilities of the classes, as `VRNN.compile(metrics=…)` takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from ser_keras.errors import ConfigurationError

Tensor = Any

OUTPUT = "probabilities"  # the output that metrics are computed from

_BY_SHAPE = ("accuracy", "acc")  # Keras tells which accuracy by the shapes


def on_probabilities(metrics: Any, argument: str = "metrics") -> list[Any]:
    """Prepare metrics that are given labels, int32 [B], and probabilities, float32 [B, C].

    Keras' own metrics for class indexes (`SparseCategoricalAccuracy`, …), functions and metrics of
    one's own are given the labels as they are; all others of Keras (`AUC`, `F1Score`,
    `TopKCategoricalAccuracy`, …) are given them one-hot, as they need them.

    Args:
        metrics: a list of names, functions and `keras.metrics.Metric`s, or {"probabilities": …}.
        argument: its name in errors.

    Raises:
        ConfigurationError: there is no such metric or no such output.

    Example:
        >>> [type(one).__name__ for one in on_probabilities([keras.metrics.AUC(), "accuracy"])]
        ['OneHotLabels', 'str']
    """
    if isinstance(metrics, Mapping):
        if set(metrics) - {OUTPUT}:
            raise ConfigurationError(
                f"compile({argument}=…): expected metrics of the output {OUTPUT}, found "
                f"{', '.join(map(str, metrics))}"
            )
        metrics = metrics.get(OUTPUT)
    if metrics is None:
        return []
    several = isinstance(metrics, (list, tuple))
    return [_prepared(metric, argument) for metric in (metrics if several else [metrics])]


def with_accuracy(metrics: list[Any]) -> list[Any]:
    """Put the accuracy first, unless there is one already.

    Example:
        >>> with_accuracy(["f1_score"]), with_accuracy(["accuracy"])
        (['accuracy', 'f1_score'], ['accuracy'])
    """
    names = [metric if isinstance(metric, str) else _name(metric) for metric in metrics]
    return metrics if "accuracy" in names else ["accuracy", *metrics]


def build_metrics(metrics: list[keras.metrics.Metric], classes: int) -> None:
    """Create the variables of Keras' container of metrics before a step is traced.

    Example:
        >>> build_metrics([keras.metrics.Mean()], classes=2)  # which has them already
    """
    for metric in metrics:
        if not getattr(metric, "built", True):
            metric.build(tf.zeros([1], tf.int32), tf.zeros([1, classes]))


def _prepared(metric: Any, argument: str) -> Any:
    name = metric if isinstance(metric, str) else _name(metric)
    if isinstance(metric, str):
        if metric.lower() in _BY_SHAPE:
            return metric
        try:
            metric = keras.metrics.get(metric)
        except ValueError as error:
            raise ConfigurationError(
                f"compile({argument}=…): expected names of Keras' metrics, found {name!r}"
            ) from error
    is_metric = isinstance(metric, keras.metrics.Metric)
    kind: Any = type(metric) if is_metric else metric
    if not is_metric and not callable(metric):
        raise ConfigurationError(f"compile({argument}=…): expected metrics, found {metric!r}")
    of_keras = getattr(kind, "__module__", "").startswith("keras.")
    takes_labels = kind is keras.metrics.MeanMetricWrapper or kind.__name__.lower().startswith(
        "sparse"
    )
    if not of_keras or takes_labels:
        return metric
    return OneHotLabels(metric if is_metric else keras.metrics.MeanMetricWrapper(metric, name=name))


def _name(metric: Any) -> str:
    return getattr(metric, "name", getattr(metric, "__name__", type(metric).__name__))


class OneHotLabels(keras.metrics.Metric):
    """A metric that is given class indexes one-hot.

    Example:
        >>> recall = OneHotLabels(keras.metrics.Recall())
        >>> recall.update_state(np.array([1, 0]), np.array([[0.1, 0.9], [0.2, 0.8]]))
        >>> float(recall.result())
        0.5
    """

    def __init__(self, metric: keras.metrics.Metric) -> None:
        super().__init__(name=metric.name)
        self.metric = metric
        # By which Keras' callbacks know whether more is better.
        if hasattr(metric, "_direction"):
            self._direction = metric._direction

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None) -> None:
        """Add a batch: class indexes [B], probabilities [B, C] and weights [B]."""
        one_hot = tf.one_hot(tf.cast(y_true, tf.int32), tf.shape(y_pred)[-1])
        one_hot = tf.ensure_shape(one_hot, [None, y_pred.shape[-1]])
        self.metric.update_state(one_hot, y_pred, sample_weight=sample_weight)

    def result(self) -> Tensor:
        """Return the metric's own result."""
        return self.metric.result()

    def reset_state(self) -> None:
        """Begin anew."""
        self.metric.reset_state()
