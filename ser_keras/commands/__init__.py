"""A module per command: HELP, add_arguments(parser) and run(options) -> exit status.

RESUMES, where it is there and true: the same command goes on after an interruption.

What they need of TensorFlow they import when they run, so that asking for help is instant. The
commands of `tuning/` and `export/` come through the entry-point group `ser_keras.commands`.
"""

from __future__ import annotations

import importlib
from importlib import metadata
from types import ModuleType

BUILT_IN = ("demo", "train", "evaluate", "reproduce", "predict", "stream", "features")
ENTRY_POINTS = "ser_keras.commands"
EXTENSIONS = "ser_keras.extensions"


def find(name: str) -> ModuleType | None:
    """The module of a command; None where there is no such command."""
    if name in BUILT_IN:
        return importlib.import_module(f"ser_keras.commands.{name}")
    points = metadata.entry_points(group=ENTRY_POINTS, name=name)
    return next((point.load() for point in points), None)


def extension(name: str) -> ModuleType | None:
    """What another part of the package adds to a command; None where it is not installed."""
    points = metadata.entry_points(group=EXTENSIONS, name=name)
    return next((point.load() for point in points), None)


def names() -> tuple[str, ...]:
    """All commands, the built-in ones first."""
    added = sorted({point.name for point in metadata.entry_points(group=ENTRY_POINTS)})
    return (*BUILT_IN, *added)
