"""KerasTuner's view of the model: hyperparameters in, a compiled VRNN out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras_tuner as kt

from ser_keras.model.settings import Preset
from ser_keras.model.vrnn import VRNN
from ser_keras.tuning.spaces import Parameter, Space


class VRNNHyperModel(kt.HyperModel):
    """A VRNN whose settings are KerasTuner's to choose; usable with any of its tuners.

    Args:
        space: the settings varied.
        base: all other settings; the defaults of those varied, where the space holds them.
        classes: names of the emotions.
        seed: of initial weights, dropout and latent samples; the same for every trial.

    Raises:
        ConfigurationError: the space holds an impossible preset.
    """

    def __init__(
        self, space: Space, base: Preset, classes: Sequence[str], seed: int | None = None
    ) -> None:
        space.check(base)
        super().__init__(name="vrnn", tunable=True)
        self.space = space
        self.base = base
        self.classes = tuple(classes)
        self.seed = seed

    def declare_hyperparameters(self, hp: kt.HyperParameters) -> None:
        """Add the space's settings, where they are not there already."""
        own = self.space.of(self.base) or {}
        for parameter in self.space.parameters:
            declare(hp, parameter, own.get(parameter.name))

    def preset(self, values: Mapping[str, Any]) -> Preset:
        """The preset that drawn values stand for."""
        return self.space.apply(self.base, values)

    def build(self, hp: kt.HyperParameters) -> VRNN:
        """A new, compiled model."""
        self.declare_hyperparameters(hp)
        model = VRNN(self.classes, self.preset(hp.values), seed=self.seed)
        model.compile()
        return model


def declare(hp: kt.HyperParameters, parameter: Parameter, default: Any = None) -> None:
    """Add one setting to KerasTuner's hyperparameters, as it takes them.

    Args:
        hp: the hyperparameters.
        parameter: the setting.
        default: where a search begins; the first or lowest value if None.
    """
    if not parameter.is_range:
        if set(parameter.values) == {True, False} and isinstance(parameter.values[0], bool):
            hp.Boolean(parameter.name, default=bool(default))
        else:
            hp.Choice(parameter.name, list(parameter.values), default=default)
        return
    register = hp.Int if parameter.is_whole else hp.Float
    register(
        parameter.name,
        min_value=parameter.low,
        max_value=parameter.high,
        step=parameter.step,
        sampling=parameter.scale,
        default=default,
    )
