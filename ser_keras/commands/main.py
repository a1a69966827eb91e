"""`ser-keras COMMAND`: results on standard output, progress and errors on standard error."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Sequence

from ser_keras import __version__
from ser_keras.commands.standard_output import results_only
from ser_keras.errors import AudioWarning, SerKerasError, kind_of

# Modules by name, imported only when asked for: `--help` is instant, and export and tuning, which
# build on this package, can add their commands here.
COMMANDS = {
    "demo": "ser_keras.commands.demo",
    "train": "ser_keras.commands.train",
    "evaluate": "ser_keras.commands.evaluate",
    "reproduce": "ser_keras.commands.reproduce",
    "cross-corpus": "ser_keras.commands.cross_corpus",
    "adapt": "ser_keras.commands.adapt",
    "predict": "ser_keras.commands.predict",
    "explain": "ser_keras.commands.explain",
    "batch": "ser_keras.export.batch.command",
    "stream": "ser_keras.commands.stream",
    "features": "ser_keras.export.batch.features_command",
    "export": "ser_keras.export.command",
    "serve": "ser_keras.export.serving.command",
    "tune": "ser_keras.tuning.command",
}

_FAILED, _INTERRUPTED = 1, 130


def main(words: Sequence[str] | None = None) -> int:
    """Run one command, by default of the process' own arguments; return its exit status.

    0 is done, 1 failed on its input, 130 interrupted. Wrong usage exits with 2.

    Example:
        >>> main(["evaluate", "nowhere", "--data", "there"])  # the message is on standard error
        1
    """
    words = list(sys.argv[1:] if words is None else words)
    try:
        options = _parser(words).parse_args(words)
    except SerKerasError as error:  # what some options come from is not installed
        print(f"ser-keras: {error}", file=sys.stderr)
        return _FAILED
    remarks = _silence_libraries()
    with results_only():
        try:
            return _run(options)
        finally:
            remarks.finish()


def _run(options: argparse.Namespace) -> int:
    try:
        status = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of the output is gone; the interpreter must not flush the rest when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _FAILED
    except KeyboardInterrupt:
        resuming = "; the same command goes on from here" if options.resumes else ""
        print(f"ser-keras: interrupted{resuming}", file=sys.stderr)
        return _INTERRUPTED
    except Exception as error:  # noqa: BLE001  # a traceback is for developers
        if options.debug:
            traceback.print_exc()
        print(f"ser-keras: {_message(error)}", file=sys.stderr)
        return _FAILED
    return status


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ser-keras", description="Recognise emotion in speech by generating it."
    )
    parser.add_argument("--version", action="version", version=f"ser-keras {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    # Without a known command the user needs to see all of them.
    for name in words[:1] if words and words[0] in COMMANDS else COMMANDS:
        module = importlib.import_module(COMMANDS[name])
        chosen = words[:1] == [name]
        parents = module.parents() if chosen and hasattr(module, "parents") else []
        command = subparsers.add_parser(
            name, help=module.HELP, description=module.HELP, parents=parents
        )
        command.add_argument("--debug", action="store_true", help="show tracebacks")
        module.add_arguments(command)
        command.set_defaults(run=module.run, resumes=getattr(module, "RESUMES", False))
    return parser


def _message(error: Exception) -> str:
    if isinstance(error, SerKerasError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'the system'}: {error.strerror}"
    return f"unexpected {type(error).__name__}: {error} (--debug shows where)"


def _silence_libraries() -> _Remarks:
    """Show warnings of this package in one line each, and none of the libraries'."""
    remarks = _Remarks()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # see also options.start_tensorflow
    warnings.filterwarnings("ignore", module=r"(?!ser_keras)")
    warnings.showwarning = remarks.show
    return remarks


class _Remarks:
    """Prints warnings; of many recordings that are alike, the first, and the others' number."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def show(self, message: Warning | str, *_: object, **__: object) -> None:
        kind = kind_of(message.reason) if isinstance(message, AudioWarning) else ""
        self._counts[kind] += 1
        if not kind or self._counts[kind] == 1:
            print(f"warning: {message}", file=sys.stderr)

    def finish(self) -> None:
        for kind, count in self._counts.items():
            if kind and count > 1:
                print(f"warning: {count - 1} more like it: {kind}", file=sys.stderr)
