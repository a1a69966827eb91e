"""The file `split.csv`: which utterance of a corpus is in which subset.

Functions raise CorpusError for an utterance in two subsets, or one that the corpus lacks or gives
another emotion, and for a file that is missing or not of this kind; OutputError for one that cannot
be written.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from itertools import chain
from pathlib import Path

from ser_keras.corpora.utterance import Corpus, UtteranceKey
from ser_keras.errors import CorpusError
from ser_keras.files import write_csv

# `part`, the subset's name, is the word of the files that exist.
_COLUMNS = ("part", "path", "start", "end", "emotion", "speaker", "session")

_CHANNEL = "channel"  # one column more, where an utterance is of one channel


def write(path: str | os.PathLike[str], subsets: Mapping[str, Corpus]) -> None:
    """Write which utterance is in which subset, as CSV; paths are relative to the corpus' root.

    Example:
        >>> train, test = ser.splits.random(corpus)
        >>> ser.splits.write("split.csv", {"train": train, "test": test})
    """
    subset_of: dict[UtteranceKey, str] = {}
    rows = []
    has_channels = any(one.channel is not None for one in chain(*subsets.values()))
    columns = (*_COLUMNS, _CHANNEL) if has_channels else _COLUMNS
    for name, subset in subsets.items():
        for utterance in subset:
            key = subset.utterance_key(utterance)
            _refuse_leak(subset_of, key, name)
            fields = {column: getattr(utterance, column) for column in columns[2:]}
            rows.append({"part": name, "path": key[0], **fields})
    write_csv(Path(path), rows, columns)


def read(path: str | os.PathLike[str], corpus: Corpus) -> dict[str, Corpus]:
    """Read the subsets of a corpus from a file that `write` wrote, in the order of the file.

    Example:
        >>> ser.splits.write("all.csv", {"test": corpus})
        >>> ser.splits.read("all.csv", corpus) == {"test": corpus}
        True
    """
    index_of = {corpus.utterance_key(utterance): index for index, utterance in enumerate(corpus)}
    subset_of: dict[UtteranceKey, str] = {}
    subsets: dict[str, list[int]] = {}
    for line, row in _rows(Path(path)):
        where = f"{path}, line {line}"
        try:
            key: UtteranceKey = row["path"], float(row["start"] or 0), float(row["end"] or "inf")
            if row.get(_CHANNEL):
                key = (*key[:3], int(row[_CHANNEL]))
        except (TypeError, ValueError) as error:
            found = f"{row['start']!r} and {row['end']!r}"
            raise CorpusError(f"{where}: start, end: expected seconds, found {found}") from error
        if key not in index_of:
            expected = f"expected an utterance of the corpus {corpus.name}"
            raise CorpusError(f"{where}: {expected}, found {row['path']}, which is not in it")
        emotion = corpus[index_of[key]].emotion
        if row["emotion"] != emotion:
            expected = f"expected {emotion!r}, as {row['path']} has in the corpus {corpus.name}"
            raise CorpusError(f"{where}: emotion: {expected}, found {row['emotion']!r}")
        _refuse_leak(subset_of, key, row["part"])
        subsets.setdefault(row["part"], []).append(index_of[key])
    return {name: corpus.subset(indexes) for name, indexes in subsets.items()}


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Return the lines of a split file, each with its number."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            table = csv.DictReader(file)
            rows = [(table.line_num, row) for row in table]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"{path}: expected a split as CSV, found {error}") from error
    columns = tuple(table.fieldnames or ())
    if columns not in (_COLUMNS, (*_COLUMNS, _CHANNEL)):
        expected, found = ",".join(_COLUMNS), ",".join(columns)
        raise CorpusError(f"{path}: expected the columns {expected}, found {found or 'none'}")
    return rows


def _refuse_leak(subset_of: dict[UtteranceKey, str], key: UtteranceKey, subset: str) -> None:
    """Note an utterance's subset, unless it is in one already."""
    if key in subset_of:
        raise CorpusError(
            f"{key[0]}: expected in one subset, found in {subset_of[key]} and again in {subset}"
        )
    subset_of[key] = subset
