"""Search spaces: the settings of a preset that are varied, and the values that they may take.

A space is a TOML file with a table per setting: `values = […]`, or `low` and `high`, and with them
`step` or `scale = "log"`. `paper.toml` and `full.toml` beside this module are such files. A space
that holds an impossible value or preset raises ConfigurationError, which names the setting.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from ser_keras.errors import ConfigurationError
from ser_keras.fields import require
from ser_keras.model.settings import Preset

if sys.version_info >= (3, 11):
    import tomllib
else:  # the same reader, before it came with Python
    import tomli as tomllib

NAMES = ("paper", "full")

_SCALES = ("linear", "log")
_SIGNIFICANT_DIGITS = 6  # of a drawn float: KerasTuner's messages carry single precision
# Combinations of feature settings that are checked; in a larger space only single settings are.
_MOST_COMBINATIONS = 20_000


@dataclass(frozen=True)
class Parameter:
    """One setting and the values that it may take.

    Attributes:
        name: the setting's name as `--set` takes it, with or without its section.
        values: the choices; empty for a range.
        low, high: the ends of a range, both included.
        step: distance between neighbouring values of a range; None for any value.
        scale: "linear", or "log" for equally many values in every decade.

    Example:
        >>> Parameter("latent_size", low=5, high=20, step=5).holds(15)
        True
    """

    name: str
    values: tuple[Any, ...] = ()
    low: float | None = None
    high: float | None = None
    step: float | None = None
    scale: str = "linear"

    def __post_init__(self) -> None:
        if self.is_range:
            self._check_range()
            return
        described = self.values and self.step is None and self.scale == "linear"
        self._require(described, "values = […], or low and high with step or scale")
        self._require(len(set(map(str, self.values))) == len(self.values), "every value once")
        self._require(len(set(map(type, self.values))) == 1, "values of one type")

    def _check_range(self) -> None:
        self._require(not self.values, "either values, or low and high")
        for name in ("low", "high") if self.step is None else ("low", "high", "step"):
            self._require(_is_finite(getattr(self, name)), f"a finite number for {name}")
        low, high = self.extremes()
        self._require(low < high, "low below high")
        self._require(self.scale in _SCALES, f"scale {' or '.join(_SCALES)}")
        self._require(low > 0 or self.scale == "linear", "low above 0 for scale log")
        if self.step is None:
            return
        self._require(self.scale == "linear", "step or scale log, not both")
        self._require(0 < self.step <= high - low, f"step above 0 and at most {high - low}")
        # KerasTuner's whole numbers take whole steps alone.
        whole = isinstance(self.step, int) or not self.is_whole
        self._require(whole, "a whole step between whole ends, or ends such as 1.0")

    def _require(self, holds: Any, expected: str) -> None:
        require(bool(holds), f"search space, {self.name}", self.to_dict(), expected)

    @property
    def field(self) -> str:
        """The setting's name without its section."""
        return self.name.rpartition(".")[2]

    @property
    def is_range(self) -> bool:
        """Whether the values are a range, not a list."""
        return self.low is not None or self.high is not None

    @property
    def is_whole(self) -> bool:
        """Whether the values are the whole numbers of a range."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def extremes(self) -> tuple[Any, ...]:
        """Return all choices, or a range's ends: if they are possible, so is all between them."""
        return (self.low, self.high) if self.is_range else self.values

    def holds(self, value: Any) -> bool:
        """Tell whether the setting may take a value."""
        if not self.is_range:
            return value in self.values
        low, high = self.extremes()
        # A limit that the preset does without is None.
        if not _is_finite(value) or not low <= value <= high:
            return False
        steps = 0.0 if self.step is None else (value - low) / self.step
        return math.isclose(steps, round(steps), abs_tol=1e-6)

    def position(self, value: Any) -> float:
        """Place a value among all, 0 lowest to 1 highest; choices are evenly spaced."""
        if not self.is_range:
            return self.values.index(value) / max(len(self.values) - 1, 1)
        low, high = self.extremes()
        if self.scale == "log":
            low, high, value = math.log(low), math.log(high), math.log(value)
        return (value - low) / (high - low)

    def exact(self, drawn: Any) -> Any:
        """Restore a value's type and digits, which KerasTuner's messages do not keep."""
        if not self.is_range:
            # 1 and True, or 20 and 20.0, are equal: the one that stands in the space is meant.
            return next((value for value in self.values if value == drawn), drawn)
        if self.is_whole:
            return round(drawn)
        if self.step is not None:
            drawn = self.low + round((drawn - self.low) / self.step) * self.step
        return float(f"{drawn:.{_SIGNIFICANT_DIGITS}g}")

    def to_dict(self) -> dict[str, Any]:
        """Return the setting's table in a TOML file."""
        table = {**dataclasses.asdict(self), "values": list(self.values)}
        del table["name"]
        return {key: value for key, value in table.items() if value not in (None, [], "linear")}


@dataclass(frozen=True)
class Space:
    """The settings that a search varies; all others stay as the preset has them.

    Example:
        >>> space = Space.from_dict("mine", {"latent_size": {"values": [5, 20]}})
        >>> space.apply(ser.presets.get("ravdess"), {"latent_size": 5}).architecture.latent_size
        5
    """

    name: str
    parameters: tuple[Parameter, ...]

    @classmethod
    def from_dict(cls, name: str, tables: Mapping[str, Any]) -> Space:
        """Make a space from a table per setting."""
        require(bool(tables), f"search space {name}", dict(tables), "one setting or more")
        known = [field.name for field in dataclasses.fields(Parameter) if field.name != "name"]
        parameters = []
        for setting, table in tables.items():
            where = f"search space {name}, {setting}"
            is_table = isinstance(table, Mapping)
            require(is_table, where, table, "a table with values = […], or low and high")
            require(set(table) <= set(known), where, list(table), f"only {', '.join(known)}")
            values = table.get("values", [])
            require(isinstance(values, (list, tuple)), f"{where}: values", values, "a list")
            choices = tuple(_choice(value) for value in values)
            parameters.append(Parameter(setting, **{**table, "values": choices}))
        return cls(name, tuple(parameters))

    def to_dict(self) -> dict[str, Any]:
        """Return a table per setting, as in a TOML file."""
        return {parameter.name: parameter.to_dict() for parameter in self.parameters}

    def apply(self, base: Preset, drawn: Mapping[str, Any]) -> Preset:
        """Replace settings of a preset by the drawn ones; names outside the space are ignored."""
        known = [each for each in self.parameters if each.name in drawn]
        return base.with_settings({each.name: each.exact(drawn[each.name]) for each in known})

    def values_of(self, preset: Preset) -> dict[str, Any] | None:
        """Return the preset's own values of the settings; None if one lies outside the space."""
        settings = _settings(preset)
        own = {each.name: _choice(settings[each.name]) for each in self.parameters}
        return own if all(each.holds(own[each.name]) for each in self.parameters) else None

    def check(self, base: Preset) -> None:
        """Check that every trial of the space is a possible preset."""
        for parameter in self.parameters:
            expected = "no epochs, which cross-validation finds (--epochs sets the most)"
            require(parameter.field != "epochs", "search space", "epochs", expected)
            for value in parameter.extremes():
                # `with_settings` would convert text; KerasTuner could not order it.
                kind = type(_settings(base).get(parameter.name))
                text = isinstance(value, str) and kind in (bool, int, float)
                require(not text, f"search space, {parameter.name}", value, kind.__name__)
        for settings in self._extreme_settings(base):
            try:
                base.with_settings(settings)
            except ConfigurationError as error:
                shown = ", ".join(f"{key} {value!r}" for key, value in settings.items())
                raise ConfigurationError(f"search space, {shown}: {error}") from error

    def extremes(self, name: str, base: Preset) -> tuple[Any, ...]:
        """Return a setting's extremes among all trials: the preset's own value unless varied."""
        varied = (each.extremes() for each in self.parameters if each.field == name)
        return next(varied, (_settings(base)[name],))

    def _extreme_settings(self, base: Preset) -> Iterator[dict[str, Any]]:
        """Yield single settings, then combinations of the features, which depend on one another."""
        features = [each for each in self.parameters if each.field in vars(base.features)]
        combinations = math.prod(len(each.extremes()) for each in features)
        combined = features if combinations <= _MOST_COMBINATIONS else []
        for parameter in self.parameters:
            if parameter not in combined:
                yield from ({parameter.name: value} for value in parameter.extremes())
        for values in itertools.product(*(each.extremes() for each in combined)):
            yield {each.name: value for each, value in zip(combined, values, strict=True)}


def load(name: str) -> Space:
    """Load the space of that name, or of that TOML file.

    Example:
        >>> [parameter.name for parameter in load("paper").parameters][:2]
        ['recognition_units', 'generation_units']
    """
    path = files(__package__) / f"{name}.toml" if name in NAMES else Path(name)
    expected = f"{', '.join(NAMES)} or a .toml file of your own"
    require(path.name.endswith(".toml"), "search space", name, expected)
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"search space {name}: {error.strerror}") from error
    except ValueError as error:  # not UTF-8, or not TOML
        raise ConfigurationError(f"search space {name}: expected TOML, found {error}") from error
    return Space.from_dict(Path(path.name).stem, tables)


def _is_finite(value: Any) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and math.isfinite(value)


def _choice(value: Any) -> Any:
    """Join a list as `Preset.with_settings` reads it: KerasTuner's choices cannot be lists."""
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else value


def _settings(preset: Preset) -> dict[str, Any]:
    """Return all settings of a preset, by name with and without section."""
    settings: dict[str, Any] = {}
    for section, part in vars(preset).items():
        if dataclasses.is_dataclass(part):
            settings |= vars(part) | {f"{section}.{key}": each for key, each in vars(part).items()}
    return settings
