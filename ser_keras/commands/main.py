"""The command line: `ser-keras COMMAND`. Results on standard output, progress on standard error."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from types import ModuleType
from typing import TextIO

from ser_keras import __version__, commands
from ser_keras.errors import SerKerasError

DONE, FAILED, INTERRUPTED = 0, 1, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: what follows `ser-keras`; None takes the process' own.

    Returns:
        The exit status: 0 done, 1 failed on its input; wrong usage exits with 2.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser(words).parse_args(words)
    _silence_libraries()
    try:
        status = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has seen enough; the interpreter must not try to flush the rest.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        resuming = "; the same command goes on from here" if options.resumes else ""
        print(f"ser-keras: interrupted{resuming}", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001  # a traceback is for developers
        if options.debug:
            traceback.print_exc()
        print(f"ser-keras: {_message(error)}", file=sys.stderr)
        return FAILED
    return status


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ser-keras",
        description="Recognise emotion in speech by generating it.",
    )
    parser.add_argument("--version", action="version", version=f"ser-keras {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, module in _commands(words).items():
        command = subparsers.add_parser(name, help=module.HELP, description=module.HELP)
        command.add_argument("--debug", action="store_true", help="show tracebacks")
        module.add_arguments(command)
        command.set_defaults(run=module.run, resumes=getattr(module, "RESUMES", False))
    return parser


def _commands(words: Sequence[str]) -> dict[str, ModuleType]:
    """The command asked for, or all where it is not known: then the user needs to see them."""
    asked = commands.find(words[0]) if words else None
    if asked is not None:
        return {words[0]: asked}
    found = {name: commands.find(name) for name in commands.names()}
    return {name: module for name, module in found.items() if module is not None}


def _message(error: Exception) -> str:
    if isinstance(error, SerKerasError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'the system'}: {error.strerror}"
    return f"unexpected {type(error).__name__}: {error} (--debug shows where)"


def _silence_libraries() -> None:
    """Keep what libraries say about themselves out of the way of our own messages."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Ours must not get lost: they tell what was skipped.
    warnings.filterwarnings("ignore", module=r"(?!ser_keras)")
    warnings.showwarning = _show_warning


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    print(f"warning: {message}", file=sys.stderr)
