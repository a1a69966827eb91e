"""The file that says which utterance of a corpus is in which part: `split.csv`."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from pathlib import Path

from ser_keras.corpora.utterance import Corpus, Utterance
from ser_keras.errors import CorpusError
from ser_keras.files import write_csv

COLUMNS = ("part", "path", "start", "end", "emotion", "speaker", "session")


def write(path: str | os.PathLike[str], parts: Mapping[str, Corpus]) -> None:
    """Write which utterance is in which part, as CSV; paths are relative to the corpus' root.

    Raises:
        CorpusError: an utterance is in two parts.
        OutputError: the file cannot be written; one of that name stays as it was.
    """
    seen: dict[tuple[str, float, float], str] = {}
    for name, part in parts.items():
        for utterance in part:
            _refuse_leak(seen, part.utterance_key(utterance), name)
    rows = [_row(name, part, utterance) for name, part in parts.items() for utterance in part]
    write_csv(Path(path), rows, COLUMNS)


def read(path: str | os.PathLike[str], corpus: Corpus) -> dict[str, Corpus]:
    """The parts of a corpus that a file written by `write` names, in the order of the file.

    Raises:
        CorpusError: there is no such file or it is not of this kind, an utterance is in two parts,
            or the corpus has none of that place or gives it another emotion.
    """
    path = Path(path)
    index = {corpus.utterance_key(utterance): position for position, utterance in enumerate(corpus)}
    seen: dict[tuple[str, float, float], str] = {}
    parts: dict[str, list[int]] = {}
    for line, row in _rows(path):
        where = f"{path}, line {line}"
        try:
            key = row["path"], float(row["start"] or 0), float(row["end"] or "inf")
        except (TypeError, ValueError) as error:
            raise CorpusError(f"{where}: expected start and end in seconds") from error
        if key not in index:
            raise CorpusError(f"{where}: {row['path']} is not in the corpus {corpus.name}")
        if row["emotion"] != corpus[index[key]].emotion:
            raise CorpusError(
                f"{where}: {row['path']} is {row['emotion']!r} in the split and "
                f"{corpus[index[key]].emotion!r} in the corpus {corpus.name}"
            )
        _refuse_leak(seen, key, row["part"])
        parts.setdefault(row["part"], []).append(index[key])
    return {name: corpus.subset(indexes) for name, indexes in parts.items()}


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """The lines of a split file, each with its number."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            table = csv.DictReader(file)
            rows = [(table.line_num, row) for row in table]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"{path}: cannot read the split: {error}") from error
    if tuple(table.fieldnames or ()) != COLUMNS:
        raise CorpusError(
            f"{path}: expected the columns {','.join(COLUMNS)}, "
            f"found {','.join(table.fieldnames or ())}"
        )
    return rows


def _row(name: str, part: Corpus, utterance: Utterance) -> dict[str, object]:
    return {
        "part": name,
        "path": part.relative_path(utterance),
        "start": utterance.start,
        "end": utterance.end,
        "emotion": utterance.emotion,
        "speaker": utterance.speaker,
        "session": utterance.session,
    }


def _refuse_leak(seen: dict[tuple[str, float, float], str], key: tuple, part: str) -> None:
    if key in seen:
        raise CorpusError(f"{key[0]}: the utterance is in part {seen[key]} and again in {part}")
    seen[key] = part
