"""The arguments of `VRNN.compile`: the optimizer that a preset names, and Keras' options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from ser_keras.errors import ConfigurationError
from ser_keras.model import averaging
from ser_keras.model.settings import Optimization


def make_optimizer(optimization: Optimization) -> keras.optimizers.Optimizer:
    """Create the Keras optimizer that a preset names.

    Where weights are averaged, which `averaging` lets begin slowly, Keras' `fit` ends with the
    average. A schedule is not the optimizer's but a callback's: see
    `ser_keras.training.callbacks`.

    Example:
        >>> make_optimizer(ser.presets.TINY.optimization).weight_decay
        0.05
    """
    average = optimization.weight_average
    common = {
        "learning_rate": optimization.learning_rate,
        "epsilon": optimization.epsilon,
        "use_ema": average > 0.0,
        # Keras refuses 0 even where it averages nothing.
        "ema_momentum": average or 0.99,
    }
    kinds: Any = averaging if average else keras.optimizers
    if optimization.optimizer == "rmsprop":
        return kinds.RMSprop(rho=optimization.rho, **common)
    if optimization.optimizer == "adam":
        return kinds.Adam(**common)
    optimizer = kinds.AdamW(weight_decay=optimization.weight_decay, **common)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def checked_options(given: Mapping[str, Any], without_xla: Mapping[str, Any]) -> dict[str, Any]:
    """Check the options given to `compile` and complete them: `jit_compile` is off by default.

    Args:
        given: Keras' options, without the optimizer and the metrics.
        without_xla: layers that XLA cannot compile, by the preset's field; None where unused.

    Raises:
        ConfigurationError: a loss is given, which the model brings itself, or `jit_compile` in
            spite of a layer that XLA cannot compile.

    Example:
        >>> checked_options({"run_eagerly": True}, {})
        {'jit_compile': False, 'run_eagerly': True}
    """
    options = {"jit_compile": False, **given}
    for name in ("loss", "loss_weights"):
        if options.pop(name, None) is not None:
            raise ConfigurationError(
                f"compile({name}=…): expected none, since the model is trained on Eq. 5 alone, "
                "found one"
            )
    for field, layer in without_xla.items():
        if options["jit_compile"] and layer is not None:
            raise ConfigurationError(
                f"compile(jit_compile={options['jit_compile']}): expected a preset that XLA can "
                f"compile, found {field}"
            )
    return options
