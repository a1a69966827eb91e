"""`ser-keras predict`: the emotion in recordings, at every instant."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ser_keras.commands import answers
from ser_keras.commands import options as shared
from ser_keras.fields import require
from ser_keras.files import output_folder
from ser_keras.recognition import tables
from ser_keras.sound.takes import Take, choice, takes

HELP = "recognise recordings: a JSON line or a row of CSV or Parquet each, or a table on a terminal"

BATCH_SIZE = 32  # recordings that are recognized together

# `--server`; the package export builds on this one, so that an import statement would be a circle.
_REMOTE = "ser_keras.export.client.prediction"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    shared.add(parser, "model")
    parser.add_argument("files", nargs="+", metavar="FILE", help="recordings")
    parser.add_argument(
        "--format",
        choices=tables.FORMATS,
        help="JSON lines, or a table that pandas and DuckDB read as it is: csv, or with --out "
        "parquet, which has the instants, too (default: by the ending of --out, else json)",
    )
    parser.add_argument(
        "--json", action="store_true", help="print JSON lines on a terminal, too, not a table"
    )
    parser.add_argument(
        "--attention",
        action="store_true",
        help="add saliency and attention to every instant, thousands of numbers where "
        "observations are patches; with --out DIR write them to DIR/FILE.npz instead",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE|DIR",
        help="add the answers to this file instead, and skip recordings that it has an answer "
        "for; with --attention, the folder of the .npz files",
    )
    parser.add_argument(
        "--channel",
        type=choice,
        default="mix",
        metavar="N|mix|each",
        help="of recordings with several channels: one of them, from 0, their mean, or each, as of "
        "a call with a speaker on each side (default: %(default)s)",
    )
    importlib.import_module(_REMOTE).add_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Print an answer per recording; 1 if one of them cannot be used."""
    as_json = options.json or (options.attention and options.out is None)
    differs = options.format not in (None, "json")
    require(not (options.json and differs), "--format", options.format, "json beside --json")
    out = None if options.attention else options.out
    form = tables.chosen(options.format, out)
    require(form == "json" or not options.attention, "--format", form, "json beside --attention")
    require(form != "parquet" or out is not None, "--format", form, "--out FILE beside it")
    lines_file = out and answers.lines_file(out, form)
    done = answers.answered(lines_file)
    asked = takes(options.files, options.channel)
    wanted = [take for take in asked if take not in done]
    if options.server is not None:
        require(not options.attention, "--attention", "--server", "a model of this machine")
        lines = importlib.import_module(_REMOTE).recognize(options, wanted)
    else:
        lines = _recognize(options, wanted)
    failed = 0
    shown = "json" if as_json else options.format
    with answers.output(lines_file, [take.file for take in wanted], shown) as show:
        for line in _progress(lines, len(wanted)) if lines_file else lines:
            failed += "error" in line
            show(line)
    if out is not None:
        answers.finish(out, form, asked)
    if failed:
        print(f"{failed} of {len(wanted)} files cannot be used", file=sys.stderr)
    return 1 if failed else 0


def _progress(lines: Iterator[dict[str, Any]], total: int) -> Iterable[dict[str, Any]]:
    """Show on standard error, if that is a terminal, how far it is."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(lines, "recognising", total, console=console, disable=not console.is_terminal)


def _recognize(options: argparse.Namespace, wanted: Sequence[Take]) -> Iterator[dict[str, Any]]:
    """Recognise recordings by a model of this machine; yield a line each."""
    paths = _paths(options.out, wanted) if options.attention and options.out else None
    shared.start_tensorflow()
    from ser_keras.recognition.attention_file import AttentionFile
    from ser_keras.recognition.recognizer import Recognizer

    recognizer = Recognizer(options.model)
    if paths is None:
        together = len(wanted) > 1 and not options.attention
        batch_size = BATCH_SIZE if together else None
        yield from recognizer.recognize_takes(wanted, options.attention, batch_size)
        return
    for take, path in zip(wanted, paths, strict=True):
        with AttentionFile(path.parent, recognizer.model.features.observation_shape) as arrays:
            (line,) = recognizer.recognize_files([take.file], arrays.add, take.channel)
            if "error" not in line:
                arrays.write(path, line)
                line["attention"] = str(path)
        yield line


def _paths(out: Path, wanted: Sequence[Take]) -> list[Path]:
    """Name the .npz file of each recording in a folder; a number tells namesakes apart."""
    if out.suffix == ".npz":
        require(len(wanted) == 1, "--out", str(out), f"a folder for {len(wanted)} recordings")
        return [output_folder(out.parent) / out.name]
    folder, paths = output_folder(out), []
    for take in wanted:
        name = Path(take.file).name
        path, number = folder / f"{name}.npz", 2
        while path in paths:
            path, number = folder / f"{name}-{number}.npz", number + 1
        paths.append(path)
    return paths
