"""Errors that a user can cause and mend; the command line prints their message and nothing else.

A message has the form `<what>: expected <…>, found <…>`; what is a file, an option or a field.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterable
from os import PathLike


class SerKerasError(Exception):
    """Base of every error that this package raises on purpose.

    Example:
        >>> issubclass(ConfigurationError, SerKerasError)
        True
    """


class CorpusError(SerKerasError, ValueError):
    """A folder, file, label or split is not what its corpus requires.

    Example:
        >>> corpus.labels(classes=("bored",))
        Traceback (most recent call last):
        ser_keras.errors.CorpusError: ...wav: emotion: expected one of bored, found 'angry'
    """


class ConfigurationError(SerKerasError, ValueError):
    """An option is unknown or its value is out of range.

    Example:
        >>> ser.splits.random(corpus, test_fraction=20)
        Traceback (most recent call last):
        ser_keras.errors.ConfigurationError: test_fraction: expected more than 0 and less than 1,
        found 20
    """


class _OfRecording(Exception):
    """A problem with a recording, which is named as the user did."""

    def __init__(self, path: str | PathLike[str], reason: str) -> None:
        # These become `args`, from which an error is rebuilt when it leaves a worker process.
        super().__init__(str(path), reason)
        self.path = str(path)
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class AudioError(_OfRecording, SerKerasError, ValueError):
    """A recording cannot be used.

    Example:
        >>> print(AudioError("a.wav", "expected sound, found an empty file"))
        a.wav: expected sound, found an empty file
    """


class DivergenceError(SerKerasError, ArithmeticError):
    """Training has led away from any solution: the loss is no longer finite.

    Example:
        >>> raise DivergenceError("loss: expected a finite number, found nan")
        Traceback (most recent call last):
        ser_keras.errors.DivergenceError: loss: expected a finite number, found nan
    """


class AudioWarning(_OfRecording, UserWarning):
    """A recording can be used, but is perhaps not what its user takes it for.

    Example:
        >>> print(AudioWarning("a.wav", "the channels cancel"))
        a.wav: the channels cancel
    """


def warn_of(path: str | PathLike[str], reason: str) -> None:
    """Warn of a recording.

    Example:
        >>> import warnings
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     warnings.simplefilter("always")
        ...     warn_of("a.wav", "the channels cancel")
        >>> caught[0].message.reason
        'the channels cancel'
    """
    warnings.warn(AudioWarning(path, reason), stacklevel=3)


def kind_of(reason: str) -> str:
    """Return what the reasons of many recordings have in common: all but the numbers.

    Example:
        >>> kind_of("truncated: expected 4.42 s of sound, found 1.5 s")
        'truncated: expected # s of sound, found # s'
    """
    return re.sub(r"-?\d[\d.,]*\d|-?\d", "#", reason)


def by_kind(problems: Iterable[tuple[str | PathLike[str], str]]) -> list[str]:
    """Sum up what is wrong with recordings, each a path and a reason: a line for every kind.

    Example:
        >>> by_kind([("a.wav", "expected sound, found an empty file"), ("b", "end: found 3 s")])
        ['a.wav: expected sound, found an empty file', 'b: end: found 3 s']
        >>> by_kind([("a.wav", "end: found 2.5 s"), ("b.wav", "end: found 3 s")])
        ['2 recordings, such as a.wav: end: found 2.5 s']
    """
    counts: Counter[str] = Counter()
    first: dict[str, str] = {}
    for path, reason in problems:
        kind = kind_of(reason)
        counts[kind] += 1
        first.setdefault(kind, f"{path}: {reason}")
    return [
        first[kind] if count == 1 else f"{count} recordings, such as {first[kind]}"
        for kind, count in counts.items()
    ]
