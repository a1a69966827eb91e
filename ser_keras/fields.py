"""What every configuration asks of its fields: values of the kind that they are declared as."""

from __future__ import annotations

import math
import numbers
import types
import typing
from typing import Any

from ser_keras.errors import ConfigurationError

_NAMES = {bool: "true or false", int: "a whole number", float: "a finite number", str: "text"}


def require(holds: bool, name: str, found: Any, expected: str) -> None:
    """Make sure of something about a field.

    Raises:
        ConfigurationError: it does not hold; the message names the field, found and expected.
    """
    if not holds:
        raise ConfigurationError(f"{name}: found {found!r}, expected {expected}")


def check_kinds(configuration: Any) -> None:
    """Make sure that every field of a dataclass is of its declared kind, as JSON can hold it.

    Raises:
        ConfigurationError: one is not, or is a number that is not finite.
    """
    for name, kind in typing.get_type_hints(type(configuration)).items():
        value = getattr(configuration, name)
        require(_fits(value, kind), name, value, _name(kind))


def _fits(value: Any, kind: Any) -> bool:
    if typing.get_origin(kind) is tuple:
        each = typing.get_args(kind)[0]
        return isinstance(value, (tuple, list)) and all(_fits(item, each) for item in value)
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return any(_fits(value, option) for option in typing.get_args(kind))
    if kind in (int, float):
        whole = numbers.Integral if kind is int else numbers.Real
        return isinstance(value, whole) and not isinstance(value, bool) and math.isfinite(value)
    return isinstance(value, kind)


def _name(kind: Any) -> str:
    if typing.get_origin(kind) is tuple:
        return f"a list, in it {_name(typing.get_args(kind)[0])} each"
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return " or ".join(_name(option) for option in typing.get_args(kind))
    return "none" if kind is type(None) else _NAMES[kind]
