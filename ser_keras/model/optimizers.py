"""The Keras optimiser that a preset names."""

from __future__ import annotations

import keras

from ser_keras.model.settings import Optimization


def make_optimizer(optimization: Optimization) -> keras.optimizers.Optimizer:
    """The Keras optimiser that a preset names.

    Where weights are averaged, Keras' `fit` ends with the average. A schedule is not the
    optimiser's but a callback's: see `callbacks.CosineSchedule`.
    """
    average = optimization.weight_average
    common = {
        "learning_rate": optimization.learning_rate,
        "epsilon": optimization.epsilon,
        "use_ema": average > 0.0,
        # Keras refuses 0 even where it averages nothing.
        "ema_momentum": average or 0.99,
    }
    if optimization.optimizer == "rmsprop":
        return keras.optimizers.RMSprop(rho=optimization.rho, **common)
    if optimization.optimizer == "adam":
        return keras.optimizers.Adam(**common)
    optimizer = keras.optimizers.AdamW(weight_decay=optimization.weight_decay, **common)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer
