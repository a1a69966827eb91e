"""The inputs of `ser-keras batch`, on any file system of Beam: globs, folders, manifests."""

from __future__ import annotations

import csv
import glob
import io
import os
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam.io import fileio
from apache_beam.io.filesystems import FileSystems
from apache_beam.pvalue import TaggedOutput

from ser_keras.corpora import manifest
from ser_keras.errors import ConfigurationError, CorpusError
from ser_keras.fields import require
from ser_keras.sound.takes import Choice

FAILED = "failed"  # the tag of what cannot be used: a line of file and error


class Item(NamedTuple):
    """A recording to be recognized, or a segment of it.

    Example:
        >>> Item("call.wav", channel=1, start=2.0).named()
        {'file': 'call.wav', 'channel': 1, 'start': 2.0}
    """

    file: str
    channel: Choice = None  # "each" for an answer of every one
    start: float | None = None  # seconds
    end: float | None = None

    def named(self) -> dict[str, Any]:
        """Return the fields that name it in a line of results."""
        return {key: value for key, value in self._asdict().items() if value is not None}


def patterns(inputs: Sequence[str]) -> list[str]:
    """Return the pattern of each input: a glob, a file, or a folder for all files below it.

    Raises:
        ConfigurationError: one of them matches nothing.

    Example:
        >>> patterns([wav]) == [wav]
        True
    """
    found = []
    for each in inputs:
        if os.path.isdir(each):  # noqa: PTH112  # not a Path: it may be a URL
            each = f"{glob.escape(each)}{os.sep}**"
        elif os.path.exists(each):  # noqa: PTH110
            found.append(glob.escape(each))
            continue
        matched = FileSystems.match([each], limits=[1])[0].metadata_list
        require(bool(matched), "INPUT", each, "a file, a folder or a glob that matches some")
        found.append(each)
    return found


def check_reachable(option: str, path: str) -> None:
    """Refuse a path on a file system that Beam does not have here.

    Raises:
        ConfigurationError: it names what is to be installed.

    Example:
        >>> check_reachable("--out", "answers/first")
        >>> check_reachable("--out", "tape://answers/first")
        Traceback (most recent call last):
        ser_keras.errors.ConfigurationError: --out: Unable to get filesystem from ...
    """
    try:
        FileSystems.get_filesystem(path)
    except (ValueError, OSError) as error:
        raise ConfigurationError(f"{option}: {error}") from error


class Items(beam.PTransform):
    """Turns patterns into items; files that end in .csv are manifests.

    A manifest has a column `path`, relative to its own folder, and may have `channel`, `start` and
    `end`, as in `ser_keras.corpora.manifest`.

    Returns of `expand`: the items, and what is wrong with manifests as `FAILED`.

    Example:
        >>> Items(channel=None).channel is None
        True
    """

    def __init__(self, channel: Choice) -> None:
        super().__init__()
        self.channel = channel

    def expand(self, patterns: Any) -> dict[str, Any]:
        """Match patterns, and read the manifests among the files."""
        channel = self.channel
        treatment = fileio.EmptyMatchTreatment.ALLOW
        files = patterns | fileio.MatchAll(treatment) | beam.Map(lambda match: match.path)
        listed = (
            files
            | "Manifests" >> beam.Filter(is_manifest)
            | "Balance manifests" >> beam.Reshuffle()
            | "Read manifests" >> beam.FlatMap(rows, channel).with_outputs(FAILED, main="items")
        )
        others = (
            files
            | "Recordings" >> beam.Filter(lambda path: not is_manifest(path))
            | beam.Map(lambda path: Item(path, channel))
        )
        # Files are read by all workers, whoever has found their names.
        items = (others, listed["items"]) | beam.Flatten() | "Balance" >> beam.Reshuffle()
        return {"items": items, FAILED: listed[FAILED]}


def is_manifest(path: str) -> bool:
    """Tell whether a file lists recordings.

    Example:
        >>> is_manifest("gs://bucket/calls.csv"), is_manifest("calls.wav")
        (True, False)
    """
    return path.lower().endswith(".csv")


def rows(path: str, channel: Choice = None) -> Iterator[Item | TaggedOutput]:
    r"""Yield the items that a manifest lists, and a tagged line for what it should not contain.

    Args:
        path: of the CSV file.
        channel: to take where the manifest does not say.

    Example:
        >>> from pathlib import Path
        >>> written = Path("calls.csv").write_text("path,start\na.wav,1.5")
        >>> list(rows("calls.csv"))
        [Item(file='.../a.wav', channel=None, start=1.5, end=None)]
    """
    folder = FileSystems.split(path)[0]
    try:
        with FileSystems.open(path) as stream:
            text = io.TextIOWrapper(stream, "utf-8-sig", newline="")
            table = csv.DictReader(text, strict=True)
            if "path" not in (table.fieldnames or ()):
                columns = ",".join(table.fieldnames or ()) or "none"
                yield _failed(path, f"expected a column 'path', found {columns}")
                return
            for row in table:
                yield _item(path, folder, table.line_num, row, channel)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        yield _failed(path, f"expected CSV in UTF-8, found {error}")


def _item(
    path: str, folder: str, line: int, row: dict[str, Any], channel: Choice
) -> Item | TaggedOutput:
    cells = {name: (value or "").strip() for name, value in row.items() if isinstance(name, str)}
    try:
        if None in row or None in row.values():
            return _failed(path, f"line {line}: expected as many fields as columns")
        if not cells["path"]:
            return _failed(path, f"line {line}, path: expected text, found nothing")
        start, end, named = manifest.segment(path, line, cells)
    except CorpusError as error:
        return _failed(path, str(error).removeprefix(f"{path}, "))
    whole = "://" in cells["path"] or os.path.isabs(cells["path"])  # noqa: PTH117
    file = cells["path"] if whole or not folder else FileSystems.join(folder, cells["path"])
    return Item(file, named if cells.get("channel") else channel, start, end)


def _failed(path: str, reason: str) -> TaggedOutput:
    return TaggedOutput(FAILED, {"file": path, "error": reason})
