"""`ser-keras demo`: the whole loop in a few minutes."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from ser_keras import commands
from ser_keras.commands import options as shared
from ser_keras.errors import SerKerasError

HELP = "train, evaluate, export and predict; on synthetic speech unless told otherwise"
RESUMES = True  # after Ctrl-C


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    shared.add_corpus(parser, default="synthetic")
    shared.add_preset(parser)
    shared.add_split(parser, "random")
    shared.add_out(parser, default="demo-out")


def run(options: argparse.Namespace) -> int:
    """Run the loop, and print the table and where everything is."""
    run = shared.training_run(options)
    from ser_keras.evaluation import demo, results

    evaluation = demo.demo(run, options.out, _exporter())
    print(results.summary(evaluation))
    print(f"\nreport       {options.out / results.REPORT_FILE}")
    print(f"predictions  {options.out / 'predictions.jsonl'}")
    print(f"exported     {options.out / 'exported'}")
    return 0


def _exporter() -> Callable[[Path, str, Path], None] | None:
    """Exports through the command `export`; None where that part is not installed."""
    command = commands.find("export")
    if command is None:
        return None
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)

    def export(folder: Path, kind: str, out: Path) -> None:
        words = [str(folder), "--to", kind, "--out", str(out)]
        if command.run(parser.parse_args(words)) != 0:
            raise SerKerasError(f"{folder}: could not be exported as {kind}")

    return export
