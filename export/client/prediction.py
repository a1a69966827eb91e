"""`ser-keras predict --server URL`: recordings recognised by a server, a JSON line each."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

import soundfile
from rich.console import Console
from rich.progress import track

from ser_keras.errors import AudioError, ConfigurationError
from ser_keras.export.client.client import Client
from ser_keras.export.client.errors import ServerError
from ser_keras.fields import require
from ser_keras.files import OutputError, json_line
from ser_keras.sound import decoding


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of recognition by a server to those of `predict`.

    Example:
        >>> add_arguments(parser := argparse.ArgumentParser())
        >>> parser.parse_args([]).batch_size
        8
    """
    group = parser.add_argument_group("recognition by a server")
    group.add_argument(
        "--server",
        metavar="URL",
        help="http://HOST:PORT or grpc://HOST:PORT, of TF Serving or `ser-keras serve`; --model "
        "then is NAME, NAME/versions/N or NAME/labels/LABEL",
    )
    group.add_argument(
        "--labels", type=Path, metavar="FILE", help="labels.txt of the model's assets"
    )
    group.add_argument(
        "--batch-size", type=int, default=8, metavar="N", help="recordings a request (default: 8)"
    )
    group.add_argument(
        "--timeout", type=float, default=60.0, metavar="SECONDS", help="of a request (default: 60)"
    )
    group.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="append lines to this file instead; skip recordings that it has an answer for",
    )


def run(options: argparse.Namespace) -> int:
    """Print a JSON line per recording; 1 if one of them cannot be used.

    Example:
        >>> run(argparse.Namespace(batch_size=0))
        Traceback (most recent call last):
        ser_keras.errors.ConfigurationError: --batch-size: expected 1 or more, found 0
    """
    require(options.batch_size >= 1, "--batch-size", options.batch_size, "1 or more")
    labels = options.labels.read_text("utf-8").split("\n")[:-1] if options.labels else None
    done = _answered(options.out)
    files = [file for file in options.files if file not in done]
    failed = 0
    console = Console(stderr=True)
    quiet = not console.is_terminal
    with _output(options.out) as out, _client(options) as client:
        lines = _recognize_files(client, files, labels, options.batch_size)
        for line in track(lines, "recognising", len(files), console=console, disable=quiet):
            failed += "error" in line
            print(json_line(line), file=out, flush=True)
    if failed:
        print(f"{failed} of {len(files)} files cannot be used", file=sys.stderr)
    return 1 if failed else 0


def _recognize_files(
    client: Client, files: Sequence[str], labels: Sequence[str] | None, batch_size: int
) -> Iterator[dict[str, Any]]:
    """Recognise recordings, a batch a request; one that cannot be used gives {file, error}."""
    for first in range(0, len(files), batch_size):
        batch = files[first : first + batch_size]
        contents: dict[str, bytes] = {}
        answers: dict[str, dict[str, Any]] = {}
        for file in batch:
            try:
                contents[file] = _wav(file)
            except AudioError as error:
                answers[file] = {"error": error.reason}
        answers |= _ask(client, contents)
        for file in batch:
            yield {"file": file, **_with_labels(answers[file], labels)}


def _ask(client: Client, contents: dict[str, bytes]) -> dict[str, dict[str, Any]]:
    """Answers to recordings; where a request is refused, each of them is asked for alone."""
    if not contents:
        return {}
    try:
        return dict(zip(contents, client.predict(list(contents.values())), strict=True))
    except ServerError as error:
        if not error.is_of_input:
            raise
        if len(contents) == 1:
            return {file: {"error": error.message} for file in contents}
    return {file: _ask(client, {file: one})[file] for file, one in contents.items()}


def _with_labels(answer: dict[str, Any], labels: Sequence[str] | None) -> dict[str, Any]:
    if labels is None or "error" in answer:
        return answer
    expected = len(answer["probabilities"])
    require(len(labels) == expected, "--labels", len(labels), f"{expected} lines")
    return {
        **answer,
        "probabilities": dict(zip(labels, answer["probabilities"], strict=True)),
        "timeline": [dict(zip(labels, row, strict=True)) for row in answer["timeline"]],
    }


def _wav(path: str) -> bytes:
    """A recording as the 16-bit WAV file that servers take; unchanged where it is one."""
    channels, rate = decoding.decode(path)
    with contextlib.suppress(soundfile.LibsndfileError, OSError):
        found = soundfile.info(path)
        if (found.format, found.subtype) in (("WAV", "PCM_16"), ("WAVEX", "PCM_16")):
            return Path(path).read_bytes()
    file = io.BytesIO()
    soundfile.write(file, channels, rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


def _client(options: argparse.Namespace) -> Client:
    match = re.fullmatch(r"([^/]*)(?:/|/versions/(\d+)|/labels/(.+))?", options.model)
    if match is None:
        raise ConfigurationError(
            f"--model: expected NAME, NAME/versions/N or NAME/labels/LABEL, found {options.model}"
        )
    name, version, label = match.groups()
    number = int(version) if version else None
    return Client(options.server, name, version=number, label=label, timeout=options.timeout)


def _answered(out: Path | None) -> set[str]:
    """The recordings that a file of lines has an answer for."""
    answered: set[str] = set()
    lines = out.read_text("utf-8").splitlines() if out and out.exists() else []
    for line in lines:
        # An interrupted run leaves half a line at the end.
        with contextlib.suppress(ValueError, KeyError, TypeError):
            answer = json.loads(line)
            if "error" not in answer:
                answered.add(answer["file"])
    return answered


@contextlib.contextmanager
def _output(out: Path | None) -> Iterator[TextIO]:
    if out is None:
        yield sys.stdout
        return
    try:
        half_a_line = out.exists() and out.read_bytes()[-1:] not in (b"", b"\n")
        with out.open("a", encoding="utf-8") as file:
            if half_a_line:
                file.write("\n")
            yield file
    except OSError as error:
        raise OutputError(f"{out}: cannot be written ({error.strerror or error})") from error
