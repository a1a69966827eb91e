"""`ser-keras predict`: the emotion in recordings, at every instant."""

from __future__ import annotations

import argparse
import sys

from ser_keras import commands
from ser_keras.commands import options as shared
from ser_keras.files import json_line

HELP = "recognise recordings: a JSON line each"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    shared.add_model(parser)
    parser.add_argument("files", nargs="+", metavar="FILE", help="recordings")
    # By a server that runs the model, where the exporting part of the package is installed.
    remote = commands.extension("server")
    if remote is not None:
        remote.add_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Print a JSON line per recording; 1 if one of them cannot be used."""
    remote = commands.extension("server")
    if remote is not None and options.server is not None:
        return int(remote.run(options))
    shared.start_tensorflow()
    from ser_keras.recognition.recognizer import Recognizer

    failed = 0
    for line in Recognizer(options.model).recognize_files(options.files):
        failed += "error" in line
        print(json_line(line), flush=True)
    if failed:
        print(f"{failed} of {len(options.files)} files cannot be used", file=sys.stderr)
    return 1 if failed else 0
