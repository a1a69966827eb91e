"""`ser-keras predict`: the emotion in recordings, at every instant."""

from __future__ import annotations

import argparse
import importlib
import sys

from ser_keras.commands import options as shared
from ser_keras.files import json_line

HELP = "recognise recordings: a JSON line each"

# `--server`; the package export builds on this one, so that an import statement would be a circle.
_REMOTE = "ser_keras.export.client.prediction"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    shared.add(parser, "model")
    parser.add_argument("files", nargs="+", metavar="FILE", help="recordings")
    importlib.import_module(_REMOTE).add_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Print a JSON line per recording; 1 if one of them cannot be used."""
    if options.server is not None:
        return int(importlib.import_module(_REMOTE).run(options))
    shared.start_tensorflow()
    from ser_keras.recognition.recognizer import Recognizer

    failed = 0
    for line in Recognizer(options.model).recognize_files(options.files):
        failed += "error" in line
        print(json_line(line), flush=True)
    if failed:
        print(f"{failed} of {len(options.files)} files cannot be used", file=sys.stderr)
    return 1 if failed else 0
