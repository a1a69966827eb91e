"""`ser-keras batch`: any number of recordings, by Apache Beam, on this machine or a cluster."""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ser_keras.commands import options as shared
from ser_keras.commands.options import start_tensorflow
from ser_keras.export.batch import beam_options
from ser_keras.fields import require
from ser_keras.recognition import tables
from ser_keras.sound.takes import choice

HELP = "recognise any number of recordings with Apache Beam, on all cores or on a cluster"

_FORMATS = tuple(form for form in tables.FORMATS if form != "csv")
# They run on this machine, so that its files are theirs.
_LOCAL_RUNNERS = ("DirectRunner", "BundleBasedDirectRunner", "FnApiRunner", "PrismRunner")


def parents() -> list[argparse.ArgumentParser]:
    """Return what the command's parser is made from: the options of Beam.

    Example:
        >>> parents()[0].parse_args(["--runner", "FlinkRunner"]).runner
        'FlinkRunner'
    """
    return [beam_options.parser()]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.description = (
        f"{HELP}. Takes all options of Beam and its runners too, such as --runner, "
        "--direct_num_workers, --region or --flink_master: see Beam's documentation and "
        "docs/scale.md."
    )
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help="globs, folders, recordings and manifests: CSV files with a column path, and perhaps "
        "channel, start and end; on any file system that Beam knows, such as gs:// and s3://",
    )
    shared.add(parser, "model")
    parser.add_argument(
        "--out",
        required=True,
        metavar="PREFIX",
        help="of the results' names: PREFIX-00000-of-00003.jsonl or .parquet, and "
        "PREFIX-failed-00000-of-00001.jsonl of what cannot be used, and why",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace results of that prefix")
    parser.add_argument(
        "--format", choices=_FORMATS, default="json", help="of the results (default: %(default)s)"
    )
    parser.add_argument(
        "--shards",
        type=int,
        default=0,
        metavar="N",
        help="number of files of answers (default: the runner decides)",
    )
    parser.add_argument(
        "--channel",
        type=choice,
        default="mix",
        metavar="N|mix|each",
        help="of recordings with several channels: one of them, from 0, their mean, or each "
        "(default: %(default)s)",
    )


def run(options: argparse.Namespace) -> int:
    """Run the pipeline and print what it has counted; 1 if a recording cannot be used.

    Raises:
        ConfigurationError: Beam is not installed, there is nothing to read, no model, or there are
            results already.
    """
    require(options.shards >= 0, "--shards", options.shards, "0 or more")
    if options.format == "parquet":
        tables.parquet()
    from ser_keras.export.batch import attempts, inputs, outputs, pipeline
    from ser_keras.export.batch.handler import exported

    for path in options.inputs:
        inputs.check_reachable("INPUT", path)
    inputs.check_reachable("--model", options.model)
    inputs.check_reachable("--out", options.out)
    patterns = inputs.patterns(options.inputs)
    with _saved_model(options.model, str(options.runner or "DirectRunner")) as model:
        job = pipeline.Job(
            patterns,
            model,
            options.out,
            options.format,
            options.channel,
            options.shards,
        )
        described = exported(model)
        _make_folder(options.out)
        outputs.clear(options.out, options.overwrite)
        build = functools.partial(pipeline.build, job=job, exported=described)
        counted = attempts.run(build, beam_options.chosen(options), options.out)
    print(json.dumps({"out": options.out, **counted}, ensure_ascii=False))
    return 1 if counted["failed"] else 0


def _make_folder(prefix: str) -> None:
    if "://" not in prefix:
        Path(prefix).absolute().parent.mkdir(parents=True, exist_ok=True)


@contextlib.contextmanager
def _saved_model(name: str, runner: str) -> Iterator[str]:
    """Yield the folder of the SavedModel that a name stands for; others are exported."""
    from apache_beam.io.filesystems import FileSystems

    if FileSystems.exists(FileSystems.join(name, "saved_model.pb")):
        yield name
        return
    exported = [path.parent for path in Path(name).glob("[0-9]*/saved_model.pb")]
    if versions := [path for path in exported if path.name.isdigit()]:
        yield str(max(versions, key=lambda path: int(path.name)))
        return
    local = runner.rpartition(".")[2] in _LOCAL_RUNNERS and "://" not in name
    expected = "an exported SavedModel that all workers can read, as of `ser-keras export`"
    require(local, "--model", name, expected)
    start_tensorflow()
    from ser_keras.export.saving import saved_model
    from ser_keras.model import files

    with tempfile.TemporaryDirectory() as scratch:
        yield str(saved_model(files.load(name), Path(scratch) / "model"))
