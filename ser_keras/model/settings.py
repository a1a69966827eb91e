"""What defines a model and its training: small frozen dataclasses, to and from JSON."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ser_keras.errors import ConfigurationError
from ser_keras.features.augmentation import Augmentation
from ser_keras.features.spec import FeatureSpec
from ser_keras.fields import check_kinds, require


@dataclass(frozen=True)
class Architecture:
    """Sizes, dropouts and attention; the defaults are the paper's for RAVDESS (section 3.2)."""

    recognition_units: int = 512
    generation_units: int = 256
    classification_units: int = 512
    latent_size: int = 20
    recognition_dropout: float = 0.3
    generation_dropout: float = 0.3
    classification_dropout: float = 0.1
    attention: bool = True
    # The convolutional VRNN, for features without statistics: see `VRNNCell`.
    recognition_channels: tuple[int, ...] = ()
    generation_channels: tuple[int, ...] = ()
    embedding_units: int = 96
    initial_log_scale: float = 0.0
    # Of log-mel patches, in decibels, see `DynamicRange`; None hears them as they are.
    range_db: float | None = None

    def __post_init__(self) -> None:
        check_kinds(self)
        for name in ("recognition_channels", "generation_channels"):
            # JSON has lists only; a tuple keeps equal settings equal and hashable.
            object.__setattr__(self, name, tuple(getattr(self, name)))
            channels = getattr(self, name)
            require(all(count >= 1 for count in channels), name, channels, "at least 1 each")
        heard = self.range_db
        require(heard is None or heard > 0.0, "range_db", heard, "decibels above 0, or none")
        for name, value in dataclasses.asdict(self).items():
            if name.endswith(("_units", "_size")):
                require(value >= 1, name, value, "at least 1")
            if name.endswith("_dropout"):
                require(0.0 <= value < 1.0, name, value, "at least 0 and below 1")


@dataclass(frozen=True)
class Objective:
    """Weights of Eq. 5 and the readings it leaves open; the defaults are the paper's."""

    generation_weight: float = 1.0  # λ1
    classification_weight: float = 50.0  # λ2
    kl_weight: float = 1.0  # β
    class_term: str = "last"  # "last": at the end of each utterance; "every": at every instant
    label_smoothing: float = 0.0  # share of the true label that is spread over all classes

    def __post_init__(self) -> None:
        check_kinds(self)
        for name in ("generation_weight", "classification_weight", "kl_weight"):
            require(getattr(self, name) >= 0.0, name, getattr(self, name), "0 or more")
        require(
            self.class_term in ("last", "every"), "class_term", self.class_term, '"last" or "every"'
        )
        smoothing = self.label_smoothing
        require(0.0 <= smoothing < 1.0, "label_smoothing", smoothing, "at least 0 and below 1")


@dataclass(frozen=True)
class Optimization:
    """How the model is trained; the defaults are the paper's (section 3.2, Algorithm 1)."""

    optimizer: str = "rmsprop"
    learning_rate: float = 0.001
    rho: float = 0.9
    epsilon: float = 1e-10
    batch_size: int = 256
    epochs: int = 200
    schedule: str = "constant"  # "cosine": the learning rate falls to nothing over the epochs
    weight_decay: float = 0.0  # AdamW's, decoupled
    weight_average: float = 0.0  # momentum of the average of weights that training ends with

    def __post_init__(self) -> None:
        check_kinds(self)
        known = ("rmsprop", "adam", "adamw")
        require(self.optimizer in known, "optimizer", self.optimizer, f"one of {', '.join(known)}")
        for name in ("learning_rate", "epsilon"):
            require(getattr(self, name) > 0.0, name, getattr(self, name), "more than 0")
        schedules = ("constant", "cosine")
        require(self.schedule in schedules, "schedule", self.schedule, '"constant" or "cosine"')
        for name in ("rho", "weight_average"):
            value = getattr(self, name)
            require(0.0 <= value < 1.0, name, value, "at least 0 and below 1")
        require(self.weight_decay >= 0.0, "weight_decay", self.weight_decay, "0 or more")
        for name in ("batch_size", "epochs"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")


@dataclass(frozen=True)
class Preset:
    """A complete setting: features, architecture, objective, optimisation and augmentation.

    Raises:
        ConfigurationError: a part asks for what the features do not have.
    """

    name: str = "custom"
    features: FeatureSpec = field(default_factory=FeatureSpec)
    architecture: Architecture = field(default_factory=Architecture)
    objective: Objective = field(default_factory=Objective)
    optimization: Optimization = field(default_factory=Optimization)
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        features, augmentation = self.features, self.augmentation
        patches = features.patch_shape is not None
        log_mel = patches and features.kind == "log-mel"
        needs = (
            (
                "band_mask, frame_mask",
                augmentation.band_mask or augmentation.frame_mask,
                patches,
                "features with statistics=(), patches",
            ),
            (
                "band_gain",
                augmentation.band_gain,
                log_mel,
                "log-mel features with statistics=(), patches",
            ),
            (
                "range_db",
                self.architecture.range_db,
                log_mel,
                "log-mel features with statistics=(), patches",
            ),
        )
        for names, asked, had, expected in needs:
            if asked and not had:
                raise ConfigurationError(
                    f"{names}: expected {expected}; found {features.kind} with "
                    f"statistics={features.statistics}"
                )

    def to_dict(self) -> dict[str, Any]:
        """A nested dictionary that JSON can hold."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preset:
        """The inverse of `to_dict`.

        Raises:
            ConfigurationError: a field is unknown or out of range.
        """
        table = isinstance(values, Mapping)
        found = list(values) if table else type(values).__name__
        require(table and "name" in values, "preset", found, "a table with a field `name`")
        preset = f"preset {values['name']!r}"
        for section, part in values.items():
            known = section in ("name", *_PARTS)
            require(known, preset, section, f"name, {', '.join(_PARTS)}")
            table = section == "name" or isinstance(part, Mapping)
            require(table, f"{preset}: {section}", part, "a table of fields")
        try:
            return cls(
                name=values["name"],
                features=FeatureSpec.from_dict(values.get("features", {})),
                architecture=Architecture(**values.get("architecture", {})),
                objective=Objective(**values.get("objective", {})),
                optimization=Optimization(**values.get("optimization", {})),
                augmentation=Augmentation(**values.get("augmentation", {})),
            )
        except TypeError as error:
            raise ConfigurationError(f"{preset}: {error}") from error

    def with_settings(self, settings: Mapping[str, Any]) -> Preset:
        """A copy with single fields replaced.

        Args:
            settings: field name of any part to its value; text is converted to the field's type,
                as in `--set recognition_units=128`.

        Raises:
            ConfigurationError: no part has such a field, or the value does not fit it.
        """
        types = {name: _field_types(type(getattr(self, name))) for name in _PARTS}
        # Gathered by part, since two fields may be right together and neither of them alone.
        changes: dict[str, dict[str, Any]] = {name: {} for name in _PARTS}
        for key, value in settings.items():
            owner = next((name for name in _PARTS if key in types[name]), None)
            if owner is None:
                keys = sorted(key for fields in types.values() for key in fields)
                raise ConfigurationError(
                    f"unknown setting {key!r}; the settings are {', '.join(keys)}"
                )
            changes[owner][key] = _convert(key, value, types[owner][key])
        try:
            parts = {
                name: dataclasses.replace(getattr(self, name), **changes[name]) for name in _PARTS
            }
        except TypeError as error:  # such as a number where several are expected
            raise ConfigurationError(f"settings {dict(settings)}: {error}") from error
        return dataclasses.replace(self, **parts)


_PARTS = ("features", "architecture", "objective", "optimization", "augmentation")


def _field_types(part: type) -> dict[str, Any]:
    return typing.get_type_hints(part)


def _convert(name: str, value: Any, to: Any) -> Any:
    """A value given as text, in the type of its field."""
    if not isinstance(value, str) or to is str:
        return value
    if to is bool:
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        require(value.lower() in words, name, value, "true or false")
        return words[value.lower()]
    if typing.get_origin(to) is tuple:
        each = typing.get_args(to)[0]
        return tuple(_convert(name, word, each) for word in value.split(",") if word)
    if value.lower() == "none" and type(None) in typing.get_args(to):
        return None
    number = int if to is int else float
    try:
        return number(value)
    except ValueError as error:
        raise ConfigurationError(f"{name}: expected {number.__name__}, found {value!r}") from error
