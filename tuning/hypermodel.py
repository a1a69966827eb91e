"""KerasTuner's view of the model: hyperparameters in, a compiled VRNN out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras_tuner as kt

from ser_keras.model.settings import Preset
from ser_keras.model.vrnn import VRNN
from ser_keras.tuning.spaces import Space


class VRNNHyperModel(kt.HyperModel):
    """A VRNN whose settings KerasTuner chooses; usable with any of its tuners.

    Args:
        space: the settings varied.
        base: all other settings; the defaults of those varied, where the space holds them.
        classes: names of the emotions.
        seed: of the initial weights, dropout and latent samples; the same for every trial.

    Raises:
        ConfigurationError: the space holds an impossible preset.

    Example:
        >>> from ser_keras.tuning.spaces import load
        >>> hypermodel = VRNNHyperModel(load("paper"), ser.presets.get("ravdess"), ("calm", "sad"))
        >>> hypermodel.preset({"recognition_units": 64}).architecture.recognition_units
        64
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
        own = self.space.values_of(self.base) or {}
        for parameter in self.space.parameters:
            # Without a default KerasTuner takes the first or lowest value.
            name, default = parameter.name, own.get(parameter.name)
            if parameter.is_range:
                register = hp.Int if parameter.is_whole else hp.Float
                low, high = parameter.extremes()
                register(name, low, high, parameter.step, parameter.scale, default)
            elif set(map(repr, parameter.values)) == {"True", "False"}:
                hp.Boolean(name, default=bool(default))
            else:
                hp.Choice(name, list(parameter.values), default=default)

    def preset(self, values: Mapping[str, Any]) -> Preset:
        """Return the preset with these values of the space's settings."""
        preset = self.space.apply(self.base, values)
        if "tuner/epochs" in values:  # Hyperband's
            preset = preset.with_settings({"epochs": int(values["tuner/epochs"])})
        return preset

    def build(self, hp: kt.HyperParameters) -> VRNN:
        """Make a new, compiled model."""
        self.declare_hyperparameters(hp)
        model = VRNN(self.classes, self.preset(hp.values), seed=self.seed)
        model.compile()
        return model
