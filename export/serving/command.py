"""`ser-keras serve`: TF Serving's REST interface and a page, on this machine."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ser_keras.errors import ConfigurationError

if TYPE_CHECKING:
    from ser_keras.export.serving.server.listening import Server

HELP = "serve exported models over TF Serving's REST interface, with a page to try them on"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument(
        "folder",
        type=Path,
        metavar="DIR",
        help="holds NAME/VERSION/ for every model, as `export --to saved-model` leaves it, and "
        "perhaps models.config, which then says versions and labels",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="the address to listen on; 0.0.0.0 lets others in (default: %(default)s)",
    )
    parser.add_argument(
        "--port", type=int, default=8501, metavar="N", help="0 takes a free one (default: 8501)"
    )
    parser.add_argument(
        "--versions",
        default="1",
        metavar="N|all",
        help="how many of a model's newest versions to serve (default: 1)",
    )
    parser.add_argument(
        "--label",
        action="append",
        default=[],
        metavar="NAME:LABEL=VERSION",
        help="call a version by a name, such as vrnn:stable=3",
    )
    parser.add_argument(
        "--threads",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="batches that run at once (default: as many as cores)",
    )
    parser.add_argument(
        "--largest-batch", type=int, default=32, metavar="N", help="(default: %(default)s)"
    )
    parser.add_argument(
        "--poll",
        type=float,
        default=1.0,
        metavar="SECONDS",
        help="between looks for new versions (default: 1)",
    )
    parser.add_argument(
        "--most-megabytes",
        type=int,
        default=64,
        metavar="N",
        help="of a request's body (default: %(default)s)",
    )
    parser.add_argument(
        "--most-seconds",
        type=float,
        default=600.0,
        metavar="N",
        help="of a recording (default: 600)",
    )


def run(options: argparse.Namespace) -> int:
    """Serve until told to stop: Ctrl-C or SIGTERM, after which what was asked is still answered.

    Raises:
        ConfigurationError: there is no such folder, or an option is out of its range.
    """
    _check(options)
    from ser_keras.commands import options as shared

    shared.start_tensorflow()
    logging.basicConfig(stream=sys.stderr, format="%(message)s", level=logging.INFO)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    from ser_keras.export.serving.server import memory

    memory.keep()
    server = build(options)
    # The models' threads need Python only for moments, and must not wait 5 ms for each.
    sys.setswitchinterval(0.0005)
    server.run()
    return 0 if server.started else 1


def _check(options: argparse.Namespace) -> None:
    for name in ("threads", "largest_batch", "poll", "most_megabytes", "most_seconds"):
        if not getattr(options, name) > 0:
            raise ConfigurationError(
                f"--{name.replace('_', '-')}: expected more than 0, found {getattr(options, name)}"
            )
    if not 0 <= options.port < 65536:
        raise ConfigurationError(f"--port: expected 0 to 65535, found {options.port}")


def build(options: argparse.Namespace) -> Server:
    """The server that the options describe, not yet started."""
    import uvicorn

    from ser_keras.export.serving.server.application import Application, Limits
    from ser_keras.export.serving.server.connection import GuardedProtocol
    from ser_keras.export.serving.server.listening import Server
    from ser_keras.export.serving.server.repository import Repository
    from ser_keras.export.serving.tf_serving.model_config import ConfigSource

    source = ConfigSource(options.folder, _latest(options.versions), _labels(options.label))
    if not any(config.wanted() for config in source().values()):
        raise ConfigurationError(
            f"{options.folder}: found no NAME/VERSION/saved_model.pb, expected a model to serve "
            "(`ser-keras export RUN --to saved-model --out DIR/NAME` leaves one)"
        )
    repository = Repository(source, options.threads, options.largest_batch)
    limits = Limits(options.most_megabytes * 2**20, sound_seconds=options.most_seconds)

    return Server(
        uvicorn.Config(
            Application(repository, limits, options.poll),
            host=options.host,
            port=options.port,
            http=GuardedProtocol,
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=30,
            backlog=2048,
        )
    )


def _latest(text: str) -> int | None:
    if text == "all":
        return None
    if not text.isdigit() or int(text) < 1:
        raise ConfigurationError(f"--versions: expected a number or all, found {text}")
    return int(text)


def _labels(words: list[str]) -> dict[str, dict[str, int]]:
    labels: dict[str, dict[str, int]] = {}
    for word in words:
        model, colon, rest = word.partition(":")
        label, equals, version = rest.partition("=")
        if not (colon and equals and model and label and version.isdigit()):
            raise ConfigurationError(f"--label {word}: expected NAME:LABEL=VERSION")
        labels.setdefault(model, {})[label] = int(version)
    return labels
