"""The average of weights: over the last tenth of few steps, and Keras' own over many."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from ser_keras.model import averaging, presets
from ser_keras.model.compile_arguments import make_optimizer

KINDS = [averaging.RMSprop, averaging.Adam, averaging.AdamW]


def steps(optimizer: keras.optimizers.Optimizer, count: int) -> tuple[list[float], float]:
    """Take steps on one weight; return its values and their average at the end."""
    weight = keras.Variable(0.0)
    optimizer.build([weight])
    values = []

    @tf.function
    def step() -> None:
        optimizer.apply_gradients([(tf.constant(-1.0), weight)])

    for _ in range(count):
        step()
        values.append(float(weight))
    optimizer.finalize_variable_values([weight])
    return values, float(weight)


@pytest.mark.parametrize("kind", KINDS)
def test_the_average_is_that_of_tensorflows_rule(kind: type):
    """`tf.train.ExponentialMovingAverage(decay, num_updates)`: min(decay, (1 + t) / (10 + t))."""
    values, average = steps(kind(learning_rate=0.1, use_ema=True, ema_momentum=0.9), 60)
    expected = values[0]
    for t, value in enumerate(values):
        momentum = min(0.9, (1 + t) / (10 + t)) if t else 0.0
        expected = momentum * expected + (1 - momentum) * value
    assert average == pytest.approx(expected, rel=1e-4)


def test_a_short_training_does_not_end_near_its_first_weights():
    options = {"learning_rate": 0.1, "use_ema": True, "ema_momentum": 0.998}
    values, kerass = steps(keras.optimizers.AdamW(**options), 150)
    assert kerass < 0.3 * values[-1]
    values, ours = steps(averaging.AdamW(**options), 150)
    assert ours > 0.85 * values[-1]


def test_a_long_training_ends_as_with_keras_own():
    options = {"learning_rate": 1e-3, "use_ema": True, "ema_momentum": 0.9}
    _, kerass = steps(keras.optimizers.AdamW(**options), 400)
    _, ours = steps(averaging.AdamW(**options), 400)
    assert ours == pytest.approx(kerass, rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_configuration_has_the_momentum_as_a_number(kind: type):
    optimizer = kind(use_ema=True, ema_momentum=0.998)
    steps(optimizer, 2)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert again.get_config()["ema_momentum"] == 0.998
    assert type(again) is kind


def test_presets_that_average_warm_up_and_the_papers_have_keras_own():
    assert type(make_optimizer(presets.TINY.optimization)) is averaging.AdamW
    assert type(make_optimizer(presets.RAVDESS.optimization)) is keras.optimizers.RMSprop
    assert np.isclose(make_optimizer(presets.TINY.optimization).ema_momentum, 0.998)
