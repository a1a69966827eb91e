"""Errors that a user can cause and mend; the command line prints their message and nothing else.

A message has the form `<what>: expected <…>, found <…>`; what is a file, an option or a field.
"""

from __future__ import annotations

from os import PathLike


class SerKerasError(Exception):
    """Base of every error that this package raises on purpose.

    Example:
        >>> from ser_keras.errors import ConfigurationError, SerKerasError
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
    """A recording cannot be used.

    Args:
        path: the recording, as the user named it.
        reason: what was expected of it, and what was found.

    Example:
        >>> from ser_keras.errors import AudioError
        >>> print(AudioError("a.wav", "expected sound, found an empty file"))
        a.wav: expected sound, found an empty file
    """

    def __init__(self, path: str | PathLike[str], reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = str(path)
        self.reason = reason

    def __reduce__(self) -> tuple[type[AudioError], tuple[str, str]]:
        # The default rebuilds from args, the joined message, and fails in a worker process.
        return type(self), (self.path, self.reason)


class DivergenceError(SerKerasError, ArithmeticError):
    """Training has led away from any solution: the loss is no longer finite.

    Example:
        >>> from ser_keras.errors import DivergenceError
        >>> raise DivergenceError("loss: expected a finite number, found nan")
        Traceback (most recent call last):
        ser_keras.errors.DivergenceError: loss: expected a finite number, found nan
    """
