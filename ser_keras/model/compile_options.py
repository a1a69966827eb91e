"""Which of Keras' options of `compile` the model takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ser_keras.errors import ConfigurationError

# The model brings its own.
LOSSES_AND_METRICS = ("loss", "metrics", "weighted_metrics", "loss_weights")


def options(given: Mapping[str, Any], layers: Mapping[str, Any]) -> dict[str, Any]:
    """Options for Keras, having made sure that they make sense; `jit_compile` is off by default.

    Args:
        given: to `compile`, but for the optimiser.
        layers: those that XLA cannot compile, by the preset's field; None where there is none.

    Raises:
        ConfigurationError: a loss or metrics are given, or `jit_compile` in spite of such a layer.
    """
    chosen = {"jit_compile": False, **given}
    for name in LOSSES_AND_METRICS:
        if chosen.pop(name, None) is not None:
            raise ConfigurationError(f"compile({name}=…): the model is trained on Eq. 5 alone")
    for field, layer in layers.items():
        if chosen["jit_compile"] and layer is not None:
            raise ConfigurationError(
                f"compile(jit_compile={chosen['jit_compile']}): XLA cannot compile {field}, "
                "which this preset has"
            )
    return chosen
