"""The LSTM cell: another layout of the same computation as Keras' own."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from ser_keras.model.lstm import LSTMCell


@pytest.mark.io_stack
@pytest.mark.parametrize("units", [3, 512])
def test_steps_as_keras_own_cell(units: int):
    rng = np.random.default_rng(0)
    inputs, hidden, carry = (
        rng.standard_normal((4, size)).astype("float32") for size in (40, units, units)
    )
    peer = keras.layers.LSTMCell(units, bias_initializer="random_normal", seed=0)
    cell = LSTMCell(units)
    peer.build((None, 40))
    cell.build((None, 40))
    cell.set_weights(peer.get_weights())
    _, expected = peer(inputs, [hidden, carry])
    with cell.laid_out():
        output, states = cell(inputs, [hidden, carry])
    for found, wanted in zip([output, *states], [expected[0], *expected], strict=True):
        np.testing.assert_allclose(found, wanted, atol=2e-6)
    np.testing.assert_array_equal(cell(inputs, [hidden, carry])[0], output)
