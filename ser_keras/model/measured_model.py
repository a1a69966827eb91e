"""A Keras model that measures terms of its own beside Keras' metrics."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

import keras
import tensorflow as tf

from ser_keras.model.compiled_metrics import on_probabilities, with_accuracy
from ser_keras.model.metrics import Measurements, track

Tensor = Any


class MeasuredModel(keras.Model):
    """A Keras model that tracks means of its own terms, and Keras' metrics on probabilities.

    The accuracy is Keras' own metric, so that callbacks know that more of it is better.

    Args:
        terms: names of the terms, of which "loss" is one.

    Example:
        >>> made = MeasuredModel(("loss", "kl"))
        >>> made.compile("adam", metrics=["auc"])
        >>> [metric.name for metric in made.metrics]
        ['loss', 'kl', 'compile_metrics']
    """

    def __init__(self, terms: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._trackers = {name: keras.metrics.Mean(name=name) for name in terms}

    def compile(
        self, optimizer: Any, metrics: Any = None, weighted_metrics: Any = None, **options: Any
    ) -> None:
        """Set optimizer, metrics and options as Keras does."""
        super().compile(
            optimizer,
            metrics=with_accuracy(on_probabilities(metrics)),
            weighted_metrics=on_probabilities(weighted_metrics, "weighted_metrics"),
            **options,
        )
        given = {"optimizer": optimizer, "metrics": metrics, "weighted_metrics": weighted_metrics}
        # Not a dictionary, in which Keras would look for metrics to track.
        self._compiled_with = MappingProxyType({**given, **options})

    def get_compile_config(self) -> dict[str, Any]:
        """Return all that `compile` was given: Keras forgets `auto_scale_loss`."""
        if not self.compiled:
            return {}
        return keras.saving.serialize_keras_object(dict(self._compiled_with))

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile with what Keras noted of `compile` in a file."""
        self.compile(**keras.saving.deserialize_keras_object(config))

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Means over utterances of every term, and `compile`'s metrics."""
        own = list(self._trackers.values())
        # Keras' own mean of the loss would be there twice.
        return own + [one for one in super().metrics if one not in own and one.name != "loss"]

    def results(
        self, means: Measurements, labels: Tensor, probabilities: Tensor, weights: Tensor
    ) -> dict[str, Tensor]:
        """Add a batch to all metrics and return what they are, as a step of a Keras model does.

        Args:
            means: values and weights of the terms, by name.
            labels: true classes, int32 [B].
            probabilities: float32 [B, C].
            weights: weights of the utterances, float32 [B].
        """
        track(self._trackers, means)
        results = self.compute_metrics(None, labels, probabilities, weights)
        if isinstance(tf.distribute.get_strategy(), tf.distribute.MultiWorkerMirroredStrategy):
            # Keras averages them over workers along their first dimension, which a scalar lacks.
            return {name: result[tf.newaxis] for name, result in results.items()}
        return results
