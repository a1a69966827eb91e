"""Lines to files: shards of JSON lines or Parquet, named when all of them are whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.io import WriteToParquet, WriteToText
from apache_beam.io.filesystems import FileSystems

from ser_keras.errors import ConfigurationError
from ser_keras.files import json_line
from ser_keras.recognition import tables

_SUFFIXES = {"json": ".jsonl", "parquet": ".parquet"}
_FAILED = "-failed"


def write_answers(prefix: str, form: str, shards: int, labels: Sequence[str]) -> beam.PTransform:
    """Write lines as PREFIX-00000-of-00003.jsonl or .parquet.

    Args:
        prefix: of the files' names.
        form: json or parquet.
        shards: number of files; 0 leaves it to the runner.
        labels: the model's classes.

    Example:
        >>> type(write_answers("answers", "json", 0, ["calm"])).__name__
        '_ChainedPTransform'
    """
    if form == "json":
        return beam.Map(json_line) | WriteToText(prefix, _SUFFIXES[form], num_shards=shards)
    schema = _schema(labels)
    return beam.Map(record, schema.names) | WriteToParquet(
        prefix, schema, file_name_suffix=_SUFFIXES[form], num_shards=shards, codec="zstd"
    )


def write_failed(prefix: str) -> beam.PTransform:
    """Write lines of file and error as PREFIX-failed-00000-of-00001.jsonl.

    Example:
        >>> type(write_failed("answers")).__name__
        '_ChainedPTransform'
    """
    return beam.Map(json_line) | WriteToText(prefix + _FAILED, _SUFFIXES["json"], num_shards=1)


def record(line: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Lay out a line as a row of Parquet, with None for what it does not have.

    Example:
        >>> record({"file": "a.wav", "emotion": "calm"}, ["file", "channel"])
        {'file': 'a.wav', 'channel': None}
    """
    row = tables.row(line)
    return {name: row.get(name) for name in names}


def _schema(labels: Sequence[str]) -> Any:
    """As the tables of `predict`, with the segments of manifests."""
    arrow, _ = tables.parquet()
    schema = tables.schema(labels)
    for name in ("start", "end"):
        schema = schema.append(arrow.field(name, arrow.float64()))
    return schema


def clear(prefix: str, overwrite: bool) -> None:
    """Remove the files of an earlier run, whose number of shards may be another.

    Raises:
        ConfigurationError: there are some, and they are not to be overwritten.

    Example:
        >>> clear("nothing-there", overwrite=False)
    """
    number = "[0-9]" * 5
    found = [
        match.path
        for result in FileSystems.match(
            [
                f"{prefix}{part}-{number}-of-{number}{suffix}"
                for part in ("", _FAILED)
                for suffix in _SUFFIXES.values()
            ]
        )
        for match in result.metadata_list
    ]
    if found and not overwrite:
        raise ConfigurationError(
            f"--out: expected a prefix that no results have, or --overwrite, found {found[0]}"
        )
    if found:
        FileSystems.delete(found)
