"""`ser-keras predict --server URL`: recordings recognised by a server."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile

from ser_keras.errors import AudioError, ConfigurationError
from ser_keras.export.client.client import Client
from ser_keras.export.client.errors import ServerError
from ser_keras.fields import require
from ser_keras.sound import decoding
from ser_keras.sound.channels import Mixer
from ser_keras.sound.level import is_silent
from ser_keras.sound.takes import Take

Description = Mapping[str, Any]  # see `Client.description`


class Recording(NamedTuple):
    """A recording on its way to a server, and what the answer says of its sound.

    Example:
        >>> Recording(b"RIFF...", duration=1.5, padded=False, silent=False).duration
        1.5
    """

    content: bytes  # a 16-bit WAV file
    duration: float
    padded: bool
    silent: bool


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
        "--labels",
        type=Path,
        metavar="FILE",
        help="labels.txt of the model's assets, which hold its description, too; only "
        "`ser-keras serve` tells them itself, of the latest version",
    )
    group.add_argument(
        "--batch-size", type=int, default=8, metavar="N", help="recordings a request (default: 8)"
    )
    group.add_argument(
        "--timeout", type=float, default=60.0, metavar="SECONDS", help="of a request (default: 60)"
    )


def recognize(options: argparse.Namespace, wanted: Sequence[Take]) -> Iterator[dict[str, Any]]:
    """Recognise recordings, a batch a request; yield a line each, as if recognised locally.

    Example:
        >>> next(recognize(argparse.Namespace(batch_size=0), [Take("a.wav")]))
        Traceback (most recent call last):
        ser_keras.errors.ConfigurationError: --batch-size: expected 1 or more, found 0
    """
    require(options.batch_size >= 1, "--batch-size", options.batch_size, "1 or more")
    with _client(options) as client:
        description = _description(options.labels, client)
        for first in range(0, len(wanted), options.batch_size):
            batch = wanted[first : first + options.batch_size]
            yield from _recognize_batch(client, batch, description)


def _recognize_batch(
    client: Client, wanted: Sequence[Take], description: Description
) -> Iterator[dict[str, Any]]:
    """Recognise recordings in one request; one that cannot be used gives {file, error}."""
    recordings: dict[Take, Recording] = {}
    answers: dict[Take, dict[str, Any]] = {}
    for take in wanted:
        try:
            recordings[take] = _recording(take, description)
        except AudioError as error:
            answers[take] = {"error": error.reason}
    answers |= _ask(client, {take: recording.content for take, recording in recordings.items()})
    for take in wanted:
        answer = answers[take]
        if "error" not in answer:
            answer = _describe(answer, recordings[take], description)
        yield {**take.named(), **answer}


def _ask(client: Client, contents: dict[Take, bytes]) -> dict[Take, dict[str, Any]]:
    """Answers to recordings; where a request is refused, each of them is asked for alone."""
    if not contents:
        return {}
    try:
        return dict(zip(contents, client.predict_each(list(contents.values())), strict=True))
    except ServerError as error:
        # What says nothing of "audio", such as an unknown label, holds for all recordings.
        if not error.is_of_input or (error.status != 413 and "audio" not in error.message):
            raise
        if len(contents) == 1:
            return {take: {"error": error.message} for take in contents}
    return {take: _ask(client, {take: one})[take] for take, one in contents.items()}


def _describe(
    answer: Mapping[str, Any], recording: Recording, description: Description
) -> dict[str, Any]:
    """Lay out a server's answer as a local one."""
    labels = description["labels"]
    found = len(answer["probabilities"])
    require(found == len(labels), "--labels", len(labels), f"{found} lines")
    instants = [
        {
            "time": description["window"] + number * description["hop"],
            "emotion": labels[int(np.argmax(probabilities))],
            "probabilities": dict(zip(labels, probabilities, strict=True)),
            "sampled_fraction": None,  # a server tells the mean over the instants alone
        }
        for number, probabilities in enumerate(answer["timeline"])
    ]
    return {
        "emotion": answer["emotion"],
        "probabilities": dict(zip(labels, answer["probabilities"], strict=True)),
        "duration": recording.duration,
        "padded": recording.padded,
        "silent": recording.silent,
        "familiarity": None,  # which servers do not tell
        "instants": instants,
    }


def _recording(take: Take, description: Description) -> Recording:
    """Read a recording as a 16-bit WAV file, which servers take; unchanged where it is one."""
    channels, rate = decoding.decode(take.file)
    mixer = Mixer(take.file, take.channel)
    mixed = mixer.mix(channels)
    mixer.warn()
    samples = -(-len(channels) * description["sample_rate"] // rate)
    return Recording(
        _wav(take.file, channels, rate) if take.channel is None else _encode(mixed, rate),
        duration=samples / description["sample_rate"],
        padded=samples < description["window_length"],
        silent=_is_silent(mixed, rate, description),
    )


def _is_silent(samples: np.ndarray, rate: int, description: Description) -> bool:
    """Tell whether all windows of a recording, [N], and of the silence behind it are silent."""
    window, hop = (round(description[name] * rate) for name in ("window", "hop"))
    silence = description["trailing_length"] * rate // description["sample_rate"]
    padded = np.pad(samples, (0, max(silence, window - len(samples))))
    starts = range(0, len(padded) - window + 1, hop)
    return all(is_silent(padded[start : start + window]) for start in starts)


def _wav(path: str, channels: np.ndarray, rate: int) -> bytes:
    with contextlib.suppress(soundfile.LibsndfileError, OSError):
        found = soundfile.info(path)
        is_whole = found.frames == len(channels)
        if is_whole and (found.format, found.subtype) in (("WAV", "PCM_16"), ("WAVEX", "PCM_16")):
            return Path(path).read_bytes()
    return _encode(channels, rate)


def _encode(samples: np.ndarray, rate: int) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


def _description(labels: Path | None, client: Client) -> Description:
    """Read the model's description beside its labels, or ask the server."""
    if labels is not None:
        names = labels.read_text("utf-8").split("\n")[:-1]
        beside = labels.with_name("description.json")
        return {**json.loads(beside.read_text("utf-8")), "labels": names}
    description = client.description()
    if description is None:
        raise ConfigurationError(
            f"--labels: expected labels.txt in the assets of the model, which {client.server} "
            "does not describe, found none"
        )
    return description


def _client(options: argparse.Namespace) -> Client:
    match = re.fullmatch(r"([^/]*)(?:/|/versions/(\d+)|/labels/(.+))?", options.model)
    if match is None:
        raise ConfigurationError(
            f"--model: expected NAME, NAME/versions/N or NAME/labels/LABEL, found {options.model}"
        )
    name, version, label = match.groups()
    number = int(version) if version else None
    return Client(options.server, name, version=number, label=label, timeout=options.timeout)
