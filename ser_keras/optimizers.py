"""The Keras optimiser that a preset names."""

from __future__ import annotations

import keras

from ser_keras.configuration import Optimization


def make_optimizer(optimization: Optimization) -> keras.optimizers.Optimizer:
    """The Keras optimiser that a preset names."""
    rate, epsilon = optimization.learning_rate, optimization.epsilon
    if optimization.optimizer == "rmsprop":
        return keras.optimizers.RMSprop(rate, rho=optimization.rho, epsilon=epsilon)
    kind = {"adam": keras.optimizers.Adam, "adamw": keras.optimizers.AdamW}[optimization.optimizer]
    return kind(rate, epsilon=epsilon)
