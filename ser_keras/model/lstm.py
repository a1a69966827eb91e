"""Keras' LSTM cell, computed so that matrix products run at full speed on a CPU."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf
from keras import ops

Tensor = Any

# In floats: a cache line, and the distance at which columns fall into the same places of the cache.
CACHE_LINE, ALIASED = 16, 1024


@keras.saving.register_keras_serializable(package="ser_keras")
class LSTMCell(keras.layers.LSTMCell):
    """Keras' LSTM cell: the same weights and results, without its options.

    Inputs and hidden state go through one matrix product instead of two. Where the rows of its
    matrix, 4 × units floats, are a multiple of 4 KiB long, as at the paper's 512 units, all
    elements of a column fall into the same few places of the cache, and the product takes twice as
    long: such rows are padded by a cache line.
    """

    _laid_out: Tensor | None = None

    @contextmanager
    def laid_out(self) -> Iterator[None]:
        """Lay the weights out once for all steps of a scan rather than again at each."""
        self._laid_out = self._padded_kernel()
        try:
            yield
        finally:
            self._laid_out = None

    def call(
        self, inputs: Tensor, states: list[Tensor], training: bool = False
    ) -> tuple[Tensor, list[Tensor]]:
        """One step: [B, inputs] and the states h, c [B, units] to h and the new states."""
        hidden, carry = states
        kernel = self._padded_kernel() if self._laid_out is None else self._laid_out
        gates = ops.matmul(ops.concatenate([inputs, hidden], axis=-1), kernel)
        gates = tf.nn.bias_add(gates, ops.pad(self.bias, [[0, self._padding]]))
        ends = [self.units * gate for gate in ((1, 2, 3, 4) if self._padding else (1, 2, 3))]
        update, forget, candidate, output, *_ = ops.split(gates, ends, axis=-1)
        carry = ops.sigmoid(forget) * carry + ops.sigmoid(update) * ops.tanh(candidate)
        hidden = ops.sigmoid(output) * ops.tanh(carry)
        return hidden, [hidden, carry]

    @property
    def _padding(self) -> int:
        """Floats that every row is longer than the four gates."""
        return 0 if 4 * self.units % ALIASED else CACHE_LINE

    def _padded_kernel(self) -> Tensor:
        """Both kernels, one above the other, [inputs + units, 4 units + padding]."""
        kernel = ops.concatenate([self.kernel, self.recurrent_kernel], axis=0)
        return ops.pad(ops.cast(kernel, self.compute_dtype), [[0, 0], [0, self._padding]])


def seeded_lstm(units: int, seeds: Sequence[int], **kwargs: Any) -> LSTMCell:
    """A cell whose two kernels have initial values of their own, one seed each."""
    return LSTMCell(
        units,
        kernel_initializer=keras.initializers.GlorotUniform(seed=seeds[0]),
        recurrent_initializer=keras.initializers.Orthogonal(seed=seeds[1]),
        **kwargs,
    )
