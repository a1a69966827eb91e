"""`ser-keras features`, whose shards the workers of Apache Beam write if options of Beam say so."""

from __future__ import annotations

import argparse
import functools

from ser_keras.commands import features
from ser_keras.errors import ConfigurationError
from ser_keras.export.batch import beam_options

HELP, RESUMES = features.HELP, features.RESUMES


def parents() -> list[argparse.ArgumentParser]:
    """Return what the command's parser is made from: the options of Beam, where it is installed.

    Example:
        >>> len(parents()) <= 1
        True
    """
    try:
        return [beam_options.parser()]
    except ConfigurationError:
        return []


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    features.add_arguments(parser)
    parser.description = (
        f"{HELP}. With options of Apache Beam, such as --runner, its workers write the shards: "
        "they must have the corpus and --out in the same folders."
    )


def run(options: argparse.Namespace) -> int:
    """Extract, and print what was left out and what is in the shards."""
    try:
        chosen = beam_options.chosen(options)
    except ConfigurationError:  # Beam is not installed
        chosen = {}
    if not chosen:
        return features.run(options)
    from ser_keras.export.batch.features import write

    return features.run(options, functools.partial(write, chosen=chosen))
