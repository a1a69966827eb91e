"""Graphs for functions of batches, where there are enough batches for a graph to pay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

# Tracing a model takes as long as some batches take without it, and each is then ten times as fast.
WORTH_TRACING = 16


def traced(function: Callable[..., Any], data: tf.data.Dataset) -> Callable[..., Any]:
    """Return a function of batches as one graph, or as it is if `data` has too few to trace it for.

    Example:
        >>> data = ser.pipeline.dataset(corpus, model.features, cache=False, progress=False)
        >>> function = traced(lambda inputs: model(inputs)["logits"], data)
        >>> [function(inputs).shape for inputs, _ in data]
        [TensorShape([32, 8])]
    """
    enough = int(data.cardinality()) >= WORTH_TRACING
    return tf.function(function, reduce_retracing=True) if enough else function
