"""The options of Apache Beam and its runners, taken from Beam itself."""

from __future__ import annotations

import argparse
import importlib
import logging
from typing import Any

from ser_keras.errors import ConfigurationError


def parser() -> argparse.ArgumentParser:
    """Return a parser of all options that Beam knows, which `--help` leaves to its documentation.

    Raises:
        ConfigurationError: Beam is not installed.

    Example:
        >>> parser().parse_args(["--direct_num_workers", "2"]).direct_num_workers
        2
    """
    options = _module()
    found = options._BeamArgumentParser(add_help=False, allow_abbrev=False)
    for kind in options.PipelineOptions.__subclasses__():
        # Those of Beam alone: its tests and examples define some, too.
        if kind.__module__ == options.__name__:
            kind._add_argparse_args(found)
    for action in found._actions:
        action.help = argparse.SUPPRESS
    return found


def chosen(options: argparse.Namespace) -> dict[str, Any]:
    """Return what a command line says of `parser`'s options, by name, without the defaults.

    Example:
        >>> chosen(parser().parse_args(["--direct_num_workers", "2"]))
        {'direct_num_workers': 2}
    """
    known = parser()
    return {
        action.dest: getattr(options, action.dest)
        for action in known._actions
        if getattr(options, action.dest, None) != known.get_default(action.dest)
    }


def _module() -> Any:
    # It warns of clients of Google's services that are missing, whether they are wanted or not.
    logging.disable(logging.WARNING)
    try:
        return importlib.import_module("apache_beam.options.pipeline_options")
    except ImportError as error:
        raise ConfigurationError(
            "batch: expected Apache Beam (pip install 'ser-keras[beam]'), found none"
        ) from error
    finally:
        logging.disable(logging.NOTSET)
