"""Replicas of a model, which share a batch: each has some of its rows, and their random numbers.

Replicas train the model that one process would have trained: a mean is over the whole batch, and
an utterance hears the noise that it would have heard there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras import ops

Tensor = Any


def own_rows(draw: Callable[[Tensor], Tensor], count: Tensor) -> Tensor:
    """Draw random rows for a batch, of which a replica has every n-th row, of n replicas.

    The first rows of a draw are the same however many follow, so that replicas of which one has a
    row less agree on the others.

    Args:
        draw: makes so many rows, from a seed that all replicas have.
        count: rows that this replica has.

    Example:
        >>> own_rows(lambda count: tf.range(count), 3).numpy().tolist()
        [0, 1, 2]
    """
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return draw(count)
    replicas = context.num_replicas_in_sync
    rows = tf.range(count) * replicas + context.replica_id_in_sync_group
    return tf.gather(draw(count * replicas), rows)


def whole_batch(count: Tensor) -> Tensor:
    """Sum the numbers of rows that replicas have, float32 [].

    Example:
        >>> float(whole_batch(tf.constant(3.0)))
        3.0
    """
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return count
    return context.all_reduce(tf.distribute.ReduceOp.SUM, count)


class Dropout(keras.layers.Dropout):
    """Keras' dropout, which drops the same on replicas as in one process.

    Example:
        >>> np.unique(Dropout(0.5, seed=0)(np.ones((4, 9)), training=True)).tolist()
        [0.0, 2.0]
    """

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Drop; [B, K]."""
        context = tf.distribute.get_replica_context()
        if context is None or context.num_replicas_in_sync == 1 or not training or not self.rate:
            return super().call(inputs, training=training)
        count, size = ops.shape(inputs)

        def draw(rows: Tensor) -> Tensor:
            ones = ops.ones((rows, size), dtype=inputs.dtype)
            return keras.random.dropout(ones, self.rate, seed=self.seed_generator)

        return inputs * own_rows(draw, count)
