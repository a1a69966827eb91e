"""The LSTM cell: another layout of the same computation as Keras' own."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from ser_keras.errors import ConfigurationError
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


@pytest.mark.parametrize(
    ("option", "value", "computed"),
    [
        ("activation", "relu", "tanh"),
        ("activation", None, "tanh"),
        ("recurrent_activation", "hard_sigmoid", "sigmoid"),
        ("use_bias", False, "True"),
        ("dropout", 0.1, "0.0"),
        ("recurrent_dropout", 0.2, "0.0"),
    ],
)
def test_options_that_are_not_computed_are_refused(option: str, value: Any, computed: str):
    with pytest.raises(ConfigurationError, match=rf"^{option}: expected {computed}, .* {value!r}$"):
        LSTMCell(3, **{option: value})
    keras.layers.LSTMCell(3, **{option: value})  # Keras' own takes them


def test_options_that_are_computed_are_taken_as_by_keras():
    options: dict[str, Any] = {
        "activation": keras.activations.tanh,
        "recurrent_activation": "sigmoid",
        "unit_forget_bias": False,
        "bias_initializer": "ones",
        "kernel_regularizer": keras.regularizers.L2(0.1),
    }
    cell, peer = LSTMCell(3, seed=1, **options), keras.layers.LSTMCell(3, seed=1, **options)
    for layer in (cell, peer):
        layer.build((None, 2))
    peer.set_weights(cell.get_weights())
    np.testing.assert_array_equal(cell.bias, np.ones(12))
    np.testing.assert_array_equal(cell.losses, peer.losses)
    states = [np.ones((1, 3), np.float32)] * 2
    found, expected = (layer(np.ones((1, 2), np.float32), states)[0] for layer in (cell, peer))
    np.testing.assert_allclose(found, expected, atol=1e-6)
