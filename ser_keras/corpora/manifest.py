"""A user's own corpus, listed in a CSV file."""

from __future__ import annotations

import csv
import math
import os
import warnings
from collections.abc import Mapping
from os import PathLike
from pathlib import Path

from ser_keras.corpora import matching
from ser_keras.corpora.utterance import Corpus, Utterance, UtteranceKey
from ser_keras.errors import CorpusError

_REQUIRED = ("path", "emotion")
_OPTIONAL = ("speaker", "session", "split", "start", "end", "channel")


# What spreadsheets and pandas write where there is nothing; no emotion, whatever they spell.
_NOTHING = ("", "nan", "na", "n/a", "#n/a", "<na>", "none", "null")


def load(root: str | PathLike[str] | None = None, merge_synonyms: bool = False) -> Corpus:
    """Load the utterances that a CSV file lists, one per line under a line of column names.

    Columns: `path` and `emotion`, and where known `speaker`, `session`, `split` ("train",
    "validation" or "test"), `start` and `end` (seconds into the file) and `channel` (from 0; empty
    or "mix" for the mean of all). Others are ignored. Paths are relative to the CSV file. Classes
    are in alphabetical order. A CorpusError names the line and the field. Lines without an emotion,
    empty, `nan` or `NA`, are left out, and counted in a warning.

    Args:
        root: the CSV file, or the folder of one named `manifest.csv`.
        merge_synonyms: make one class of "Angry", "ANGRY" and "anger"; otherwise a warning says
            that each is a class of its own.

    Example:
        >>> import csv
        >>> with open("calls.csv", "w", newline="") as file:
        ...     csv.writer(file).writerows([["path", "emotion"], [wav, "cross"]])
        >>> ser.corpora.load("manifest", "calls.csv")
        Corpus('manifest', 1 utterances, emotions=('cross',))
    """
    file = _csv_file(root)
    line_of: dict[UtteranceKey, int] = {}
    utterances: list[Utterance] = []
    nothing: list[int] = []  # lines
    for line, row in _rows(file):
        if row["emotion"].casefold() in _NOTHING:
            nothing.append(line)
            continue
        utterance = _utterance(file, line, row)
        key = Corpus("manifest", (), (), file.parent).utterance_key(utterance)
        if key in line_of:
            found = f"found {row['path']} in line {line_of[key]} too"
            raise _error(file, line, "path", f"expected a segment once, {found}")
        line_of[key] = line
        utterances.append(utterance)
    if nothing and not utterances:
        raise _error(file, nothing[0], "emotion", "expected text, found nothing in any line")
    if not utterances:
        raise CorpusError(f"{file}: expected a line for each utterance, found only column names")
    if nothing:
        warnings.warn(
            f"{file}: left out {len(nothing)} of {len(nothing) + len(utterances)} lines, whose "
            f"emotion is empty, nan or NA, such as line {nothing[0]}",
            stacklevel=3,
        )
    emotions = tuple(sorted({utterance.emotion for utterance in utterances}))
    corpus = Corpus.ordered("manifest", utterances, emotions, file.parent)
    if merge_synonyms:
        return matching.merge_synonyms(corpus)
    if ambiguous := matching.synonyms(corpus):
        names = "; ".join(
            f"{', '.join(words)} for {meaning}" for meaning, words in ambiguous.items()
        )
        warnings.warn(
            f"{file}: found several names of one emotion, each a class of its own unless merged "
            f"(--merge-synonyms, merge_synonyms=True): {names}",
            stacklevel=3,
        )
    return corpus


def _csv_file(root: str | PathLike[str] | None) -> Path:
    expected = "expected a CSV file with columns path and emotion"
    if root is None:
        raise CorpusError(f"manifest: {expected}, found none named")
    file = Path(root).expanduser().absolute()
    if file.is_dir():
        file = file / "manifest.csv"
    if not file.is_file():
        raise CorpusError(f"{file}: {expected}, found none")
    return file


def _rows(file: Path) -> list[tuple[int, dict[str, str]]]:
    """Return the lines that are not empty, each with its number, by column."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            table = csv.reader(stream, strict=True)
            lines = [(table.line_num, [field.strip() for field in row]) for row in table]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"{file}: expected CSV in UTF-8, found {error}") from error
    lines = [(line, row) for line, row in lines if any(row)]
    if not lines:
        raise CorpusError(f"{file}: expected columns path and emotion, found an empty file")
    first, columns = lines[0]
    for column in _REQUIRED:
        if column not in columns:
            raise CorpusError(
                f"{file}, line {first}: expected a column {column!r}; needed are "
                f"{','.join(_REQUIRED)} and known {','.join(_OPTIONAL)}, separated by commas; "
                f"found {','.join(columns)}"
            )
    for column in (*_REQUIRED, *_OPTIONAL):
        if columns.count(column) > 1:
            raise CorpusError(f"{file}, line {first}: expected one column {column!r}, found two")
    for line, row in lines[1:]:
        if len(row) != len(columns):
            raise CorpusError(
                f"{file}, line {line}: expected {len(columns)} fields, found {len(row)}; a field "
                "that holds a comma goes in quotes"
            )
    return [(line, dict(zip(columns, row, strict=True))) for line, row in lines[1:]]


def _utterance(file: Path, line: int, row: dict[str, str]) -> Utterance:
    if not row["path"]:
        raise _error(file, line, "path", "expected text, found nothing")
    # Not resolved: a link keeps its name, but a/../b and b are one file.
    path = Path(os.path.normpath(file.parent / row["path"]))
    if not path.is_file():
        raise _error(file, line, "path", f"expected a sound file, found none at {path}")
    fields = {column: row.get(column, "") for column in ("speaker", "session", "split")}
    if fields["split"] not in ("", "train", "validation", "test"):
        expected = "expected train, validation or test"
        raise _error(file, line, "split", f"{expected}, found {fields['split']!r}")
    start, end, channel = segment(file, line, row)
    # A speaker whom nobody knows is no speaker of that name.
    speaker, session, split = ("" if text.lower() == "nan" else text for text in fields.values())
    return Utterance(path, row["emotion"], speaker, session, start, end, split, channel=channel)


def segment(
    file: Path | str, line: int, row: Mapping[str, str]
) -> tuple[float | None, float | None, int | None]:
    """Read what part of a recording a line means: `start` and `end` in seconds, and `channel`.

    Raises:
        CorpusError: one of them is no such number.

    Example:
        >>> segment("calls.csv", 2, {"path": "a.wav", "start": "1.5", "channel": "mix"})
        (1.5, None, None)
    """
    start, end = _seconds(file, line, row, "start"), _seconds(file, line, row, "end")
    if end is not None and end <= (start or 0.0):
        raise _error(file, line, "end", f"expected more than start, found {row['end']}")
    return start, end, _channel(file, line, row.get("channel", ""))


def _channel(file: Path | str, line: int, text: str) -> int | None:
    if text in ("", "mix"):
        return None
    if not (text.isascii() and text.isdigit()):
        expected = "expected the number of a channel, from 0, or mix"
        raise _error(file, line, "channel", f"{expected}, found {text!r}")
    return int(text)


def _seconds(file: Path | str, line: int, row: Mapping[str, str], column: str) -> float | None:
    text = row.get(column, "")
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds >= 0):
        raise _error(file, line, column, f"expected seconds, 0 or more, found {text!r}")
    return seconds


def _error(file: Path | str, line: int, column: str, reason: str) -> CorpusError:
    return CorpusError(f"{file}, line {line}, {column}: {reason}")
