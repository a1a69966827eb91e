"""Everything that defines a model and its training: frozen dataclasses, to and from JSON."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ser_keras.errors import ConfigurationError
from ser_keras.features.augmentation import Augmentation
from ser_keras.features.spec import FeatureSpec
from ser_keras.fields import check_kinds, require


@dataclass(frozen=True)
class Architecture:
    """Sizes, dropouts and attention; the defaults are the paper's for RAVDESS (section 3.2).

    Example:
        >>> Architecture(latent_size=10).recognition_units
        512
    """

    # Hidden units of the three LSTMs, and Z, elements of the latent variable.
    recognition_units: int = 512
    generation_units: int = 256
    classification_units: int = 512
    latent_size: int = 20
    # Dropout on the hidden state of each LSTM where its affine layer reads it.
    recognition_dropout: float = 0.3
    generation_dropout: float = 0.3
    classification_dropout: float = 0.1
    attention: bool = True  # False samples everything at every instant (the ablation)
    # The convolutional VRNN, for patches. Without channels, as in the paper, the recognition LSTM
    # reads x_t itself, and an affine layer makes the likelihood.
    recognition_channels: tuple[int, ...] = ()
    generation_channels: tuple[int, ...] = ()
    embedding_units: int = 96  # size of the embedding that the recognition LSTM reads of a patch
    initial_log_scale: float = 0.0  # log σ_t of the posterior before training
    # Whether the decoder's mean is added to what is known of the next observation (`Carry`), and
    # how many frames at either end of the known ones correct it.
    carry_over: bool = False
    end_frames: int = 0
    # The likelihood is made of g_t and of what the recognition LSTM reads of x_t, so that z_t need
    # not hold the sound itself (after Chung et al. 2015, arXiv:1506.02216); else of g_t alone.
    decoder_reads_sampled: bool = False
    range_db: float | None = None  # of log-mel patches, see `DynamicRange`; None: unbounded

    def __post_init__(self) -> None:
        check_kinds(self)
        for name in ("recognition_channels", "generation_channels"):
            # JSON has lists only; a tuple keeps equal settings equal and hashable.
            object.__setattr__(self, name, channels := tuple(getattr(self, name)))
            require(all(count >= 1 for count in channels), name, channels, "at least 1 each")
        ends = self.end_frames
        require(ends >= 0, "end_frames", ends, "0 or more")
        require(self.carry_over or not ends, "end_frames", ends, "0 without carry_over")
        range_db = self.range_db
        require(range_db is None or range_db > 0, "range_db", range_db, "decibels above 0, or none")
        for name, value in dataclasses.asdict(self).items():
            if name.endswith(("_units", "_size")):
                require(value >= 1, name, value, "at least 1")
            if name.endswith("_dropout"):
                require(0.0 <= value < 1.0, name, value, "at least 0 and below 1")


@dataclass(frozen=True)
class Objective:
    """Weights of Eq. 5 and the readings it leaves open; the defaults are the paper's.

    Example:
        >>> Objective(class_term="every").classification_weight
        50.0
    """

    generation_weight: float = 1.0  # λ1
    classification_weight: float = 50.0  # λ2
    kl_weight: float = 1.0  # β
    # Of an observation's elements: "gaussian" as in the paper, or with heavier tails "laplace" or
    # "student-t", for which a prediction that is far off now and then costs less.
    likelihood: str = "gaussian"
    class_term: str = "last"  # "last": at the end of each utterance; "every": at every instant
    label_smoothing: float = 0.0  # share of the true label that is spread over all classes
    teacher_share: float = 0.5  # of teachers' answers in what is learnt, where there are teachers

    def __post_init__(self) -> None:
        check_kinds(self)
        for name in ("generation_weight", "classification_weight", "kl_weight"):
            require(getattr(self, name) >= 0.0, name, getattr(self, name), "0 or more")
        kind, known = self.likelihood, ("gaussian", "laplace", "student-t")
        require(kind in known, "likelihood", kind, f"one of {', '.join(known)}")
        term, smoothing = self.class_term, self.label_smoothing
        require(term in ("last", "every"), "class_term", term, '"last" or "every"')
        require(0.0 <= smoothing < 1.0, "label_smoothing", smoothing, "at least 0 and below 1")
        share = self.teacher_share
        require(0.0 <= share <= 1.0, "teacher_share", share, "from 0 to 1")


# What an epoch's draws are balanced by, see `training.balance`.
BALANCES = ("none", "corpus", "emotion", "corpus,emotion")


@dataclass(frozen=True)
class Optimization:
    """Settings of the training; the defaults are the paper's (section 3.2, Algorithm 1).

    Example:
        >>> Optimization(epochs=10).batch_size
        256
    """

    optimizer: str = "rmsprop"
    learning_rate: float = 0.001
    rho: float = 0.9
    epsilon: float = 1e-10
    batch_size: int = 256
    epochs: int = 200
    schedule: str = "constant"  # "cosine": the learning rate falls to zero over the epochs
    weight_decay: float = 0.0  # AdamW's, decoupled
    weight_average: float = 0.0  # momentum of the average of weights that training ends with
    # Recordings and copies that an epoch draws at most, others in every epoch; None: all.
    epoch_draws: int | None = None
    balance: str = "none"  # or draws corpora, emotions or both equally often within an epoch

    def __post_init__(self) -> None:
        check_kinds(self)
        known = ("rmsprop", "adam", "adamw")
        require(self.optimizer in known, "optimizer", self.optimizer, f"one of {', '.join(known)}")
        schedules = ("constant", "cosine")
        require(self.schedule in schedules, "schedule", self.schedule, '"constant" or "cosine"')
        require(self.balance in BALANCES, "balance", self.balance, f"one of {', '.join(BALANCES)}")
        for name in ("learning_rate", "epsilon"):
            require(getattr(self, name) > 0.0, name, getattr(self, name), "more than 0")
        for name in ("rho", "weight_average"):
            value = getattr(self, name)
            require(0.0 <= value < 1.0, name, value, "at least 0 and below 1")
        require(self.weight_decay >= 0.0, "weight_decay", self.weight_decay, "0 or more")
        for name in ("batch_size", "epochs"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        draws = self.epoch_draws
        require(draws is None or draws >= 1, "epoch_draws", draws, "at least 1, or none")


@dataclass(frozen=True)
class Preset:
    """A complete setting: features, architecture, objective, optimization and augmentation.

    Raises:
        ConfigurationError: a section needs features of another kind.

    Example:
        >>> ser.Preset().with_settings({"objective.kl_weight": "0.5"}).objective.kl_weight
        0.5
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
        masked = augmentation.band_mask or augmentation.frame_mask
        warped = augmentation.tempo or augmentation.tract
        for names, asked, possible, kind in (
            ("band_mask, frame_mask", masked, patches, ""),
            ("band_gain", augmentation.band_gain, log_mel, "log-mel "),
            ("tempo, tract", warped, log_mel, "log-mel "),
            ("range_db", self.architecture.range_db, log_mel, "log-mel "),
        ):
            if asked and not possible:
                raise ConfigurationError(
                    f"{names}: expected {kind}features with statistics=(), that is patches, found "
                    f"{features.kind} with statistics={features.statistics}"
                )
        ends, most = self.architecture.end_frames, features.overlap_frames
        whole = most > 0 or not warped
        expected = "a multiple of frame_hop, and less than the window, for tempo and tract"
        require(whole, "hop", features.hop, expected)
        expected = f"at most the frames that observations share, {most}"
        require(ends <= most, "end_frames", ends, expected)

    def to_dict(self) -> dict[str, Any]:
        """Return a nested dictionary that JSON can hold."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preset:
        """Invert `to_dict`; sections and fields that are missing have their defaults.

        Raises:
            ConfigurationError: a section or field is unknown or out of range.
        """
        is_table = isinstance(values, Mapping)
        found = list(values) if is_table else type(values).__name__
        require(is_table and "name" in values, "preset", found, "a table with a field `name`")
        preset = f"preset {values['name']!r}"
        for section, fields in values.items():
            known = section in ("name", *_SECTIONS)
            require(known, preset, section, f"name, {', '.join(_SECTIONS)}")
            is_table = section == "name" or isinstance(fields, Mapping)
            require(is_table, f"{preset}: {section}", fields, "a table of fields")
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
        """Return a copy with single fields replaced.

        Args:
            settings: values by field, `kl_weight` or in full `objective.kl_weight`; text is
                converted to the field's type, as in `--set recognition_units=128`.

        Raises:
            ConfigurationError: there is no such field, or the value does not fit it.
        """
        types = {name: typing.get_type_hints(type(getattr(self, name))) for name in _SECTIONS}
        # Replaced section by section, since two fields may be right together and neither alone.
        changes: dict[str, dict[str, Any]] = {name: {} for name in _SECTIONS}
        for setting, value in settings.items():
            section, key = _find(setting, types)
            changes[section][key] = _convert(setting, value, types[section][key])
        try:
            sections = {
                name: dataclasses.replace(getattr(self, name), **changes[name])
                for name in _SECTIONS
            }
        except TypeError as error:  # such as a number where several are expected
            raise ConfigurationError(f"settings {dict(settings)}: {error}") from error
        return dataclasses.replace(self, **sections)


_SECTIONS = ("features", "architecture", "objective", "optimization", "augmentation")


def _find(setting: str, fields: Mapping[str, Iterable[str]]) -> tuple[str, str]:
    """Return section and field that a name stands for, with or without its section."""
    names = [(section, key) for section in fields for key in fields[section]]
    found = [(section, key) for section, key in names if setting in (key, f"{section}.{key}")]
    if len(found) != 1:
        section = setting.partition(".")[0]
        possible = found or [name for name in names if name[0] == section] or names
        expected = f"one of {', '.join('.'.join(name) for name in possible)}"
        require(False, "setting", setting, expected)
    return found[0]


def _convert(name: str, value: Any, to: Any) -> Any:
    """Convert a value given as text to the type of its field."""
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
    number = int if int in (to, *typing.get_args(to)) else float
    try:
        return number(value)
    except ValueError as error:
        expected = "a whole number" if number is int else "a number"
        raise ConfigurationError(f"{name}: expected {expected}, found {value!r}") from error
