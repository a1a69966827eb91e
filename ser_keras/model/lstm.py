"""Keras' LSTM cell, computed so that matrix products run at full speed on a CPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from ser_keras.errors import ConfigurationError

Tensor = Any

# In floats: a cache line, and the distance at which columns fall into the same sets of the cache.
CACHE_LINE, ALIASED = 16, 1024


@keras.saving.register_keras_serializable(package="ser_keras")
class LSTMCell(keras.layers.LSTMCell):
    """Keras' LSTM cell with its default activations and no dropout: same weights, same results.

    Inputs and hidden state go through one matrix product instead of two. Where the rows of its
    matrix, 4 × units floats, are a multiple of 4 KiB long, as at the paper's 512 units, all
    elements of a column fall into the same few sets of the cache, and the product takes twice as
    long: such rows are padded by a cache line.

    Raises:
        ConfigurationError: an option of Keras' cell has a value that is not computed here.

    Example:
        >>> zeros = np.zeros((2, 4), np.float32)
        >>> hidden, states = LSTMCell(4)(np.ones((2, 3), np.float32), [zeros, zeros])
        >>> hidden.shape
        TensorShape([2, 4])
    """

    _laid_out: Tensor | None = None

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        for option, computed in (
            ("activation", keras.activations.tanh),
            ("recurrent_activation", keras.activations.sigmoid),
            ("use_bias", True),
            ("dropout", 0.0),
            ("recurrent_dropout", 0.0),
        ):
            if getattr(self, option) != computed:
                raise ConfigurationError(
                    f"{option}: expected {getattr(computed, '__name__', computed)}, which alone "
                    f"this LSTM cell computes, found {kwargs[option]!r}"
                )

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
        # [B, inputs + units] × [inputs + units, 4 units + padding] -> [B, 4 units + padding]
        gates = ops.matmul(ops.concatenate([inputs, hidden], axis=-1), kernel)
        gates = tf.nn.bias_add(gates, ops.pad(self.bias, [[0, self._padding]]))
        # Without padding nothing follows the output gate: its end need not be named.
        ends = [self.units * gate for gate in ((1, 2, 3, 4) if self._padding else (1, 2, 3))]
        update, forget, candidate, output, *_ = ops.split(gates, ends, axis=-1)  # [B, units] each
        carry = ops.sigmoid(forget) * carry + ops.sigmoid(update) * ops.tanh(candidate)
        hidden = ops.sigmoid(output) * ops.tanh(carry)
        return hidden, [hidden, carry]

    @property
    def _padding(self) -> int:
        """Floats by which every row is longer than the four gates."""
        return 0 if 4 * self.units % ALIASED else CACHE_LINE

    def _padded_kernel(self) -> Tensor:
        """Stack both kernels, [inputs + units, 4 units + padding]."""
        kernel = ops.concatenate([self.kernel, self.recurrent_kernel], axis=0)
        return ops.pad(ops.cast(kernel, self.compute_dtype), [[0, 0], [0, self._padding]])
