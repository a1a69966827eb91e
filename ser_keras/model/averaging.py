"""Optimizers whose average of the weights forgets the first ones soon enough."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

Tensor = Any


class _WarmingUp:
    """An optimizer's average that covers a tenth of the steps so far at most.

    Keras' average begins with the weights of the first step, and with a momentum of 0.998 they are
    three quarters of what a training of 150 steps would end with. So the momentum begins low: after
    t steps it is at most (1 + t) / (10 + t), as TensorFlow's `ExponentialMovingAverage` has it.
    """

    iterations: Tensor
    ema_momentum: Any

    def _update_model_variables_moving_average(self, trainable_variables: list[Any]) -> None:
        momentum, steps = self.ema_momentum, ops.cast(self.iterations, "float32")
        self.ema_momentum = ops.minimum(momentum, (1.0 + steps) / (10.0 + steps))
        try:
            super()._update_model_variables_moving_average(trainable_variables)  # type: ignore[misc]
        finally:
            self.ema_momentum = momentum  # a number again, which goes into the configuration


@keras.saving.register_keras_serializable(package="ser_keras")
class RMSprop(_WarmingUp, keras.optimizers.RMSprop):
    """Keras' RMSprop, with an average that warms up.

    Example:
        >>> RMSprop(use_ema=True, ema_momentum=0.99).get_config()["ema_momentum"]
        0.99
    """


@keras.saving.register_keras_serializable(package="ser_keras")
class Adam(_WarmingUp, keras.optimizers.Adam):
    """Keras' Adam, with an average that warms up.

    Example:
        >>> Adam(use_ema=True).use_ema
        True
    """


@keras.saving.register_keras_serializable(package="ser_keras")
class AdamW(_WarmingUp, keras.optimizers.AdamW):
    """Keras' AdamW, with an average that warms up.

    Example:
        >>> AdamW(use_ema=True, weight_decay=0.05).weight_decay
        0.05
    """
