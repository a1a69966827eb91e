"""Errors a user can cause and mend; the command line prints their message and nothing else."""

from __future__ import annotations

from os import PathLike


class SerKerasError(Exception):
    """Base of every error that this package raises on purpose."""


class CorpusError(SerKerasError, ValueError):
    """A folder, label or split does not hold what a corpus of its name must hold."""


class ConfigurationError(SerKerasError, ValueError):
    """An option has a value outside its range, or is not known at all."""


class AudioError(SerKerasError, ValueError):
    """A recording cannot be used.

    Args:
        path: the recording, as the user named it.
        reason: what was found and what was expected.
    """

    def __init__(self, path: str | PathLike[str], reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = str(path)
        self.reason = reason

    def __reduce__(self) -> tuple[type[AudioError], tuple[str, str]]:
        # The default rebuilds from args, the joined message: it would not survive a worker process.
        return type(self), (self.path, self.reason)


class DivergenceError(SerKerasError, ArithmeticError):
    """Training has led away from any solution."""
