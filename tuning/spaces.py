"""Search spaces: which settings of a preset are varied, and over what values.

A space is a TOML file with a table per setting: `values = […]`, or `low` and `high`, and with them
`step` or `scale = "log"`. `paper.toml` and `full.toml` beside this module are such files.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import sys
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from ser_keras.errors import ConfigurationError
from ser_keras.model.settings import Preset

if sys.version_info >= (3, 11):
    import tomllib
else:  # the same reader, before it came with Python
    import tomli as tomllib

NAMES = ("paper", "full")
SCALES = ("linear", "log")
SIGNIFICANT_DIGITS = 6  # of a value drawn: KerasTuner's workers get theirs in single precision

# Combinations of features that are tried out before the search; with more, only single settings.
MOST_COMBINATIONS = 20_000


@dataclass(frozen=True)
class Parameter:
    """One setting and the values that it may take.

    Attributes:
        name: of the setting, as `--set` knows it.
        values: those to choose from; empty where it is a range.
        low, high: the ends of a range, which belong to it.
        step: between neighbouring values of a range; None for any value.
        scale: "linear", or "log" for equally many values in every decade.

    Raises:
        ConfigurationError: no value is possible, or the description contradicts itself.
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
        elif self.step is not None or self.scale != "linear" or not self.values:
            self._refuse("values = […], or low and high with step or scale", self._given())
        else:
            self._check_values()

    @property
    def is_range(self) -> bool:
        """Whether the values are a range's."""
        return self.low is not None or self.high is not None

    @property
    def is_whole(self) -> bool:
        """Whether the values are whole numbers of a range."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def extremes(self) -> tuple[Any, ...]:
        """All values, or the ends of a range: if they are possible, so is what lies between."""
        return (self.low, self.high) if self.is_range else self.values

    def holds(self, value: Any) -> bool:
        """Whether the setting may take a value."""
        if not self.is_range:
            return value in self.values
        assert self.low is not None  # noqa: S101  # checked when made
        assert self.high is not None  # noqa: S101
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False  # None, where it is a limit that the preset does without
        if not self.low <= value <= self.high:
            return False
        if self.step is None:
            return True
        steps = (value - self.low) / self.step
        return math.isclose(steps, round(steps), abs_tol=1e-6)

    def exact(self, drawn: Any) -> Any:
        """A value as it was meant, whatever its way through KerasTuner made of its type."""
        if not self.is_range:
            # 1 and True, or 20 and 20.0, are equal: the one that stands in the space is meant.
            return next((value for value in self.values if value == drawn), drawn)
        if self.is_whole:
            return round(drawn)
        if self.step is not None:
            drawn = self.low + round((drawn - self.low) / self.step) * self.step
        return float(f"{drawn:.{SIGNIFICANT_DIGITS}g}")

    def to_dict(self) -> dict[str, Any]:
        """What the setting's table in a TOML file holds."""
        if not self.is_range:
            return {"values": list(self.values)}
        table = {"low": self.low, "high": self.high, "step": self.step, "scale": self.scale}
        return {key: value for key, value in table.items() if value not in (None, "linear")}

    def check_step(self, whole: bool) -> None:
        """Make sure that the step leads from whole numbers to whole numbers.

        Args:
            whole: the setting takes no others.

        Raises:
            ConfigurationError: it does not.
        """
        if self.step is None or isinstance(self.step, int) or not (whole or self.is_whole):
            return
        if whole:
            self._refuse("int for step", self.step)
        self._refuse(
            f"a whole step between whole ends, or {self.low:.1f} and {self.high:.1f} as ends",
            f"step {self.step}",
        )

    def _check_range(self) -> None:
        numbers = {"low": self.low, "high": self.high}
        if self.step is not None:
            numbers["step"] = self.step
        for name, number in numbers.items():
            if isinstance(number, bool) or not isinstance(number, (int, float)):
                self._refuse(f"a number for {name}", number)
            if not math.isfinite(number):
                self._refuse(f"a finite {name}", number)
        assert self.low is not None  # noqa: S101  # seen above
        assert self.high is not None  # noqa: S101
        if self.values:
            self._refuse("either values, or low and high", self._given())
        if self.low >= self.high:
            self._refuse("low below high", f"low {self.low} and high {self.high}")
        if self.scale not in SCALES:
            self._refuse(f"scale {' or '.join(SCALES)}", self.scale)
        if self.scale == "log" and self.low <= 0:
            self._refuse("low above 0 for scale log", self.low)
        if self.step is not None and self.scale == "log":
            self._refuse("step or scale log, not both", self._given())
        if self.step is not None and not 0 < self.step <= self.high - self.low:
            self._refuse(f"step above 0 and at most {self.high - self.low}", self.step)

    def _check_values(self) -> None:
        if len(set(map(str, self.values))) < len(self.values):
            self._refuse("every value once", list(self.values))
        if len({type(value) for value in self.values}) > 1:
            self._refuse("values of one type", list(self.values))

    def _given(self) -> str:
        given = dataclasses.asdict(self)
        del given["name"]
        shown = [
            f"{key} {value}" for key, value in given.items() if value not in (None, (), "linear")
        ]
        return ", ".join(shown) or "no value"

    def _refuse(self, expected: str, found: Any) -> typing.NoReturn:
        raise ConfigurationError(f"search space, {self.name}: expected {expected}, found {found}")


@dataclass(frozen=True)
class Space:
    """The settings that a search varies; all others stay as the preset has them."""

    name: str
    parameters: tuple[Parameter, ...]

    @classmethod
    def from_dict(cls, name: str, tables: Mapping[str, Any]) -> Space:
        """A space from a table per setting.

        Raises:
            ConfigurationError: a table holds something else than a parameter's fields.
        """
        if not tables:
            raise ConfigurationError(f"search space {name}: found no setting, expected one or more")
        known = [field.name for field in dataclasses.fields(Parameter) if field.name != "name"]
        parameters = []
        for setting, table in tables.items():
            if not isinstance(table, Mapping):
                raise ConfigurationError(
                    f"search space {name}, {setting}: found {table!r}, expected a table with "
                    "values = […], or low and high"
                )
            if unknown := sorted(set(table) - set(known)):
                raise ConfigurationError(
                    f"search space {name}, {setting}: unknown {', '.join(unknown)}; "
                    f"known are {', '.join(known)}"
                )
            values = table.get("values", [])
            if not isinstance(values, (list, tuple)):
                raise ConfigurationError(
                    f"search space {name}, {setting}: found values {values!r}, expected a list"
                )
            # A list among the values, such as several statistics, is one value: KerasTuner has
            # none of its kind, but text, which `Preset.with_settings` reads.
            given = tuple(
                ",".join(map(str, value)) if isinstance(value, (list, tuple)) else value
                for value in values
            )
            parameters.append(Parameter(setting, **{**table, "values": given}))
        return cls(name, tuple(parameters))

    def to_dict(self) -> dict[str, Any]:
        """A table per setting, as in a TOML file."""
        return {parameter.name: parameter.to_dict() for parameter in self.parameters}

    def apply(self, base: Preset, drawn: Mapping[str, Any]) -> Preset:
        """The preset with the values drawn for the space's settings.

        Args:
            base: all other settings.
            drawn: values by name; what is not of the space is ignored.
        """
        settings = {
            parameter.name: parameter.exact(drawn[parameter.name])
            for parameter in self.parameters
            if parameter.name in drawn
        }
        return base.with_settings(settings)

    def of(self, preset: Preset) -> dict[str, Any] | None:
        """The preset's own values of the space's settings; None if one lies outside the space."""
        own = {parameter.name: _setting(preset, parameter.name) for parameter in self.parameters}
        inside = all(parameter.holds(own[parameter.name]) for parameter in self.parameters)
        return own if inside else None

    def check(self, base: Preset) -> None:
        """Make sure that every trial of the space is a possible preset.

        Raises:
            ConfigurationError: a setting is unknown, of another type or out of its range.
        """
        for parameter in self.parameters:
            if parameter.name == "epochs":
                raise ConfigurationError(
                    "search space, epochs: cross-validation finds it for every trial by itself; "
                    "--epochs says how many are tried at most"
                )
            kind = _types(base).get(parameter.name)
            for value in parameter.extremes():
                if kind in (int, float, bool, str) and not _fits(value, kind):
                    raise ConfigurationError(
                        f"search space, {parameter.name}: found {value!r}, expected {kind.__name__}"
                    )
            parameter.check_step(whole=kind is int)
        for settings in self._extreme_settings(base):
            try:
                base.with_settings(settings)
            except ConfigurationError as error:
                shown = ", ".join(f"{key} {value!r}" for key, value in settings.items())
                raise ConfigurationError(f"search space, {shown}: {error}") from error

    def longest_window(self, base: Preset) -> float:
        """The longest window among all trials, in seconds."""
        return max(self._extremes("window", base.features.window))

    def shortest_silence(self, base: Preset) -> float:
        """The shortest silence behind a recording among all trials, in seconds."""
        return min(self._extremes("trailing_silence", base.features.trailing_silence))

    def _extremes(self, name: str, own: Any) -> tuple[Any, ...]:
        """Those of a setting that is varied; of another the preset's own value."""
        found = (each.extremes() for each in self.parameters if each.name == name)
        return next(found, (own,))

    def _extreme_settings(self, base: Preset) -> Iterator[dict[str, Any]]:
        """Single settings, then those of the features together, which depend on one another."""
        for parameter in self.parameters:
            if parameter.name not in _types_of(base.features):
                for value in parameter.extremes():
                    yield {parameter.name: value}
        features = [p for p in self.parameters if p.name in _types_of(base.features)]
        count = math.prod(len(parameter.extremes()) for parameter in features)
        if features and count <= MOST_COMBINATIONS:
            for values in itertools.product(*(parameter.extremes() for parameter in features)):
                yield {p.name: value for p, value in zip(features, values, strict=True)}
        else:
            yield from ({p.name: value} for p in features for value in p.extremes())


def load(name: str) -> Space:
    """The space of that name, or in that TOML file.

    Raises:
        ConfigurationError: there is none, or the file does not describe one.
    """
    if name in NAMES:
        text = files(__package__).joinpath(f"{name}.toml").read_text(encoding="utf-8")
        return Space.from_dict(name, tomllib.loads(text))
    path = Path(name)
    if path.suffix != ".toml":
        raise ConfigurationError(
            f"search space {name!r}: expected {', '.join(NAMES)} or a .toml file of your own"
        )
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"search space {name}: {error.strerror}") from error
    except ValueError as error:  # not UTF-8, or not TOML
        raise ConfigurationError(f"search space {name}: not TOML ({error})") from error
    return Space.from_dict(path.stem, tables)


def _fits(value: Any, kind: type) -> bool:
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def _parts(preset: Preset) -> list[Any]:
    """The dataclasses that a preset consists of."""
    values = [getattr(preset, field.name) for field in dataclasses.fields(preset)]
    return [value for value in values if dataclasses.is_dataclass(value)]


def _types_of(part: Any) -> dict[str, Any]:
    return typing.get_type_hints(type(part))


def _types(preset: Preset) -> dict[str, Any]:
    return {name: kind for part in _parts(preset) for name, kind in _types_of(part).items()}


def _setting(preset: Preset, name: str) -> Any:
    for part in _parts(preset):
        if name in _types_of(part):
            value = getattr(part, name)
            return ",".join(map(str, value)) if isinstance(value, tuple) else value
    raise ConfigurationError(f"search space: unknown setting {name!r}")
