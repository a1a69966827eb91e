"""Checks of a configuration's fields; what they refuse is a ConfigurationError of one form."""

from __future__ import annotations

import math
import numbers
import types
import typing
from typing import Any

from ser_keras.errors import ConfigurationError

_NAMES = {bool: "true or false", int: "a whole number", float: "a finite number", str: "text"}


def require(holds: bool, name: str, found: Any, expected: str) -> None:
    """Refuse a field's value unless a condition holds.

    Args:
        holds: the condition.
        name: the field or option, as the user knows it.
        found: its value.
        expected: the values that it may have, in words.

    Example:
        >>> require(False, "epochs", 0, "at least 1")
        Traceback (most recent call last):
        ser_keras.errors.ConfigurationError: epochs: expected at least 1, found 0
    """
    if not holds:
        raise ConfigurationError(f"{name}: expected {expected}, found {found!r}")


def check_kinds(configuration: Any) -> None:
    """Check that every field of a dataclass has its declared type; numbers must be finite.

    Example:
        >>> from dataclasses import make_dataclass
        >>> check_kinds(make_dataclass("Options", [("epochs", int)])(epochs=1.5))
        Traceback (most recent call last):
        ser_keras.errors.ConfigurationError: epochs: expected a whole number, found 1.5
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
        return f"a list, each {_name(typing.get_args(kind)[0])}"
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return " or ".join(_name(option) for option in typing.get_args(kind))
    return "none" if kind is type(None) else _NAMES[kind]
