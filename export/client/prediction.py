"""`ser-keras predict --server URL`: recordings recognised by a server, a JSON line each."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

import soundfile
from rich.console import Console
from rich.progress import track

from ser_keras.errors import AudioError, ConfigurationError
from ser_keras.export.client.client import Client, ServerError
from ser_keras.files import OutputError, json_line
from ser_keras.sound import decoding


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes beyond `predict` itself."""
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
        help="append lines here instead; recordings that it has are not asked for again",
    )


def run(options: argparse.Namespace) -> int:
    """Print a JSON line per recording; 1 if one of them cannot be used.

    Raises:
        ServerError: the server cannot be reached or fails on everything.
        ConfigurationError: the model's name or the labels are none.
    """
    if options.batch_size < 1:
        raise ConfigurationError(f"--batch-size: expected 1 or more, found {options.batch_size}")
    labels = None
    if options.labels is not None:
        labels = options.labels.read_text("utf-8").split("\n")[:-1]
    done = _done(options.out)
    files = [file for file in options.files if file not in done]
    failed = 0
    with _output(options.out) as out, _client(options) as client:
        lines = recognize_files(client, files, labels, options.batch_size)
        console = Console(stderr=True)
        if console.is_terminal:
            lines = iter(track(lines, "recognising", len(files), console=console))
        for line in lines:
            failed += "error" in line
            print(json_line(line), file=out, flush=True)
    if failed:
        print(f"{failed} of {len(files)} files cannot be used", file=sys.stderr)
    return 1 if failed else 0


def recognize_files(
    client: Client, files: Sequence[str], labels: Sequence[str] | None, batch_size: int
) -> Iterator[dict[str, Any]]:
    """Recognise one recording after another; one that cannot be used gives {file, error}.

    Args:
        client: of the server.
        files: recordings of any kind that libsndfile reads.
        labels: of the probabilities, which are a list where there are none.
        batch_size: recordings of one request.

    Raises:
        ServerError: the server cannot be reached, or fails for a reason of its own.
    """
    for first in range(0, len(files), batch_size):
        batch = files[first : first + batch_size]
        contents: dict[str, bytes] = {}
        lines: dict[str, dict[str, Any]] = {}
        for file in batch:
            try:
                contents[file] = wav(file)
            except AudioError as error:
                lines[file] = {"file": file, "error": error.reason}
        for file, answer in _ask(client, contents).items():
            lines[file] = {"file": file, **_named(answer, labels)}
        yield from (lines[file] for file in batch)


def _ask(client: Client, contents: dict[str, bytes]) -> dict[str, dict[str, Any]]:
    """Answers of recordings; where a request is refused, each of them is asked for alone."""
    if not contents:
        return {}
    try:
        return dict(zip(contents, client.predict(list(contents.values())), strict=True))
    except ServerError as error:
        if not error.is_of_input:
            raise
        if len(contents) == 1:
            return {file: {"error": error.message} for file in contents}
    answers: dict[str, dict[str, Any]] = {}
    for file, one in contents.items():
        answers.update(_ask(client, {file: one}))
    return answers


def _named(answer: dict[str, Any], labels: Sequence[str] | None) -> dict[str, Any]:
    if labels is None or "error" in answer:
        return answer
    if len(labels) != len(answer["probabilities"]):
        raise ConfigurationError(
            f"--labels: expected {len(answer['probabilities'])} lines, found {len(labels)}"
        )
    return {
        **answer,
        "probabilities": dict(zip(labels, answer["probabilities"], strict=True)),
        "timeline": [dict(zip(labels, instant, strict=True)) for instant in answer["timeline"]],
    }


def wav(path: str) -> bytes:
    """A recording as the 16-bit WAV file that servers take: as it is if it is one.

    Raises:
        AudioError: it cannot be used.
    """
    channels, rate = decoding.decode(path)
    with contextlib.suppress(soundfile.LibsndfileError, OSError):
        found = soundfile.info(path)
        if (found.format, found.subtype) in (("WAV", "PCM_16"), ("WAVEX", "PCM_16")):
            return Path(path).read_bytes()
    file = io.BytesIO()
    soundfile.write(file, channels, rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


def _client(options: argparse.Namespace) -> Client:
    name, _, rest = options.model.partition("/")
    kind, _, which = rest.partition("/")
    if rest and not (kind in ("versions", "labels") and which):
        raise ConfigurationError(
            f"--model {options.model}: expected NAME, NAME/versions/N or NAME/labels/LABEL"
        )
    if kind == "versions" and not which.isdigit():
        raise ConfigurationError(f"--model {options.model}: expected a number, found {which}")
    return Client(
        options.server,
        name,
        version=int(which) if kind == "versions" else None,
        label=which if kind == "labels" else None,
        timeout=options.timeout,
    )


def _done(out: Path | None) -> set[str]:
    """The recordings that a file of lines has an answer for."""
    if out is None or not out.exists():
        return set()
    done = set()
    for line in out.read_text("utf-8").splitlines():
        # The last line may be half of one.
        with contextlib.suppress(ValueError, KeyError, TypeError):
            answer = json.loads(line)
            if "error" not in answer:
                done.add(answer["file"])
    return done


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
