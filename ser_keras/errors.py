"""Errors that a user can cause and mend; the command line prints their message and nothing else.

A message has the form `<what>: expected <…>, found <…>`; what is a file, an option or a field.
"""

from __future__ import annotations

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


class AudioError(SerKerasError, ValueError):
    """A recording, named as the user did, cannot be used.

    Example:
        >>> print(AudioError("a.wav", "expected sound, found an empty file"))
        a.wav: expected sound, found an empty file
    """

    def __init__(self, path: str | PathLike[str], reason: str) -> None:
        # These become `args`, from which an error is rebuilt when it leaves a worker process.
        super().__init__(str(path), reason)
        self.path = str(path)
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class DivergenceError(SerKerasError, ArithmeticError):
    """Training has led away from any solution: the loss is no longer finite.

    Example:
        >>> raise DivergenceError("loss: expected a finite number, found nan")
        Traceback (most recent call last):
        ser_keras.errors.DivergenceError: loss: expected a finite number, found nan
    """
