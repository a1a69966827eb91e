"""`ser-keras serve`: TF Serving's REST interface and a page, on this machine."""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import functools
import gc
import logging
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ser_keras.errors import ConfigurationError
from ser_keras.fields import require

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ser_keras.export.serving.server.http_server import Server
    from ser_keras.export.serving.tf_serving.model_config import Labels, ModelConfig

HELP = "serve exported models over TF Serving's REST interface, with a page to try them on"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""

    def number(name: str, default: float, meaning: str) -> None:
        text = f"{meaning} (default: {default:g})"
        parser.add_argument(name, type=type(default), default=default, metavar="N", help=text)

    parser.add_argument(
        "folder",
        type=Path,
        metavar="DIR",
        help="the folder that holds NAME/VERSION/ for every model, as `export --to saved-model` "
        "leaves it; a models.config in it decides versions and labels",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="the address to listen on; 0.0.0.0 lets others in (default: %(default)s)",
    )
    parser.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a further name that clients may call the server by, such as a container's, or * for "
        "any; addresses, localhost and the machine's own name are allowed; may be repeated",
    )
    number("--port", 8501, "the port to listen on; 0 takes a free one")
    parser.add_argument(
        "--versions",
        default="1",
        metavar="N|all",
        help="number of a model's newest versions to serve, where models.config has no "
        "model_version_policy for it (default: %(default)s)",
    )
    parser.add_argument(
        "--label",
        action="append",
        default=[],
        metavar="NAME:LABEL=VERSION",
        help="give a version a label, such as vrnn:stable=3; may be repeated",
    )
    number("--threads", os.cpu_count() or 1, "number of batches that run at once, one a core")
    number("--largest-batch", 32, "largest number of recordings that run together")
    number("--poll", 1.0, "time between two looks for new versions, in seconds")
    number("--most-megabytes", 64, "largest request body accepted, in MiB")
    number("--most-memory", 2048, "memory for all requests together, in MiB")
    number("--most-seconds", 600.0, "longest recording accepted, in seconds")


def run(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM; requests that have come by then are still answered.

    Raises:
        ConfigurationError: there is nothing to serve, or an option is out of its range.
    """
    limits = ("most_megabytes", "most_memory", "most_seconds")
    for name in ("threads", "largest_batch", "poll", *limits):
        value = getattr(options, name)
        require(value > 0, f"--{name.replace('_', '-')}", value, "more than 0")
    require(0 <= options.port < 65536, "--port", options.port, "0 to 65535")
    from ser_keras.commands.options import start_tensorflow

    start_tensorflow()
    logging.basicConfig(stream=sys.stderr, format="%(message)s", level=logging.INFO)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    _keep_memory()
    server = build(options)
    # The models' threads need Python only for moments, and must not wait 5 ms for each.
    sys.setswitchinterval(0.0005)
    # What TensorFlow has imported is no garbage: looking for some in it would hold up requests.
    gc.freeze()
    server.run()
    return 0 if server.started else 1


def build(options: argparse.Namespace) -> Server:
    """Build the server that the options describe, not yet started.

    Example:
        >>> build(argparse.Namespace(folder=Path("nowhere"), versions="1", label=[]))
        Traceback (most recent call last):
        ser_keras.errors.ConfigurationError: nowhere: expected a folder of NAME/VERSION/, found none
    """
    from ser_keras.export.serving.server.application import Application
    from ser_keras.export.serving.server.http_server import Server
    from ser_keras.export.serving.server.repository import Repository
    from ser_keras.export.serving.tf_serving.model_config import find_models

    latest, labels = _latest(options.versions), _labels(options.label)
    models = functools.partial(find_models, options.folder, latest, labels)
    found = models()
    if not any(config.versions for config in found.values()):
        raise ConfigurationError(
            f"{options.folder}: expected NAME/VERSION/saved_model.pb, as "
            "`ser-keras export RUN --to saved-model --out DIR/NAME` leaves it, found none"
        )
    _check_labels(labels, found)
    repository = Repository(models, options.threads, options.largest_batch)
    application = Application(
        repository,
        options.most_megabytes * 2**20,
        options.most_seconds,
        options.poll,
        options.most_memory * 2**20,
        (options.host, *options.allowed_host),
    )
    return Server(application, options.host, options.port)


def _check_labels(labels: Labels, found: Mapping[str, ModelConfig]) -> None:
    """Refuse a label that no request could use."""
    for model, versions in labels.items():
        served = found[model].versions if model in found else {}
        for label, version in versions.items():
            numbers = ", ".join(map(str, served)) or "none"
            require(
                version in served,
                "--label",
                f"{model}:{label}={version}",
                f"a version of {model} that is served ({numbers}; --versions, or a policy in "
                "models.config, decides)",
            )


def _keep_memory() -> None:
    """Tell the C allocator to keep what is freed between requests, up to half a gigabyte.

    A recording is half a megabyte, several times over: as text, as bytes, as a tensor. By default
    each of these is mapped from the system and returned to it, page by page, which costs about as
    much as reading the request. Has no effect where there is no glibc.
    """
    trim_threshold, top_pad, mmap_threshold = -1, -2, -3  # mallopt(3)
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(mmap_threshold, 32 * 2**20)  # the most that glibc takes
        mallopt(trim_threshold, 512 * 2**20)
        mallopt(top_pad, 16 * 2**20)


def _latest(text: str) -> int | None:
    if text == "all":
        return None
    require(text.isdigit() and int(text) > 0, "--versions", text, "a number from 1, or all")
    return int(text)


def _labels(options: list[str]) -> dict[str, dict[str, int]]:
    labels: dict[str, dict[str, int]] = {}
    for text in options:
        match = re.fullmatch(r"([^:]+):([^=]+)=(\d+)", text)
        if match is None:
            raise ConfigurationError(f"--label: expected NAME:LABEL=VERSION, found {text!r}")
        model, label, version = match.groups()
        labels.setdefault(model, {})[label] = int(version)
    return labels
