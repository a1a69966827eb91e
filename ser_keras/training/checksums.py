"""Checksums of shards and records: a shard that is not as it was written is made again."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_FILE, _ROWS = "crc32", "rows_crc32"
_BLOCK = 1 << 20  # bytes


def seal(shard: Mapping[str, Any], file: Path) -> dict[str, Any]:
    """Add to a shard's rows of the index the checksums of its TFRecord file and of the rows.

    Example:
        >>> Path("a.tfrecord").write_bytes(b"records")
        7
        >>> seal({"file": "a.tfrecord"}, Path("a.tfrecord"))
        {'file': 'a.tfrecord', 'crc32': '9c9d5846', 'rows_crc32': '...'}
    """
    sealed = {**shard, _FILE: _of_file(file)}
    return {**sealed, _ROWS: _of_rows(sealed)}


def rows_are_intact(shard: Mapping[str, Any]) -> bool:
    """Return whether a shard's rows are as `seal` left them, its file aside.

    Example:
        >>> rows_are_intact({"file": "a.tfrecord", "rows_crc32": "00000000"})
        False
    """
    return shard.get(_ROWS) == _of_rows(shard)


def is_intact(shard: Mapping[str, Any], file: Path) -> bool:
    """Return whether a shard's rows and all of its TFRecord file are as `seal` found them.

    Example:
        >>> Path("a.tfrecord").write_bytes(b"records")
        7
        >>> shard = seal({"file": "a.tfrecord"}, Path("a.tfrecord"))
        >>> Path("a.tfrecord").write_bytes(b"recorbs")
        7
        >>> is_intact(shard, Path("a.tfrecord"))
        False
    """
    return rows_are_intact(shard) and shard.get(_FILE) == _of_file(file)


def of_record(record: bytes) -> int:
    """Return the checksum of an utterance's observations, which the shard's rows have.

    Example:
        >>> of_record(b"records")
        2627557446
    """
    return zlib.crc32(record)


def _of_file(path: Path) -> str:
    checksum = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            checksum = zlib.crc32(block, checksum)
    return f"{checksum:08x}"


def _of_rows(shard: Mapping[str, Any]) -> str:
    rows = {key: value for key, value in shard.items() if key != _ROWS}
    return f"{zlib.crc32(json.dumps(rows, sort_keys=True).encode()):08x}"
