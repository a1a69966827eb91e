"""Answers as tables that pandas, DuckDB and Spark read as they are: CSV and Parquet.

A row per recording: file, channel (empty for the mean of all), error (why it cannot be used,
else empty), emotion, duration in seconds, padded, silent, familiarity, and `probability_LABEL` of
each class. Parquet has the instants, too, a list of structures as in a line of JSON.
"""

from __future__ import annotations

import csv
import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from ser_keras.errors import ConfigurationError
from ser_keras.fields import require
from ser_keras.files import finite, replacing

Line = Mapping[str, Any]  # as `Recognizer.recognize_files` yields it

FORMATS = ("json", "csv", "parquet")

# Rows that are written and read together: so many are in memory.
ROWS = 1000

_BEFORE = ("file", "channel", "error", "emotion")
_AFTER = ("duration", "padded", "silent", "familiarity")
_PROBABILITY = "probability_"
_READ: dict[str, Callable[[str], Any]] = {
    "channel": int,
    "duration": float,
    "padded": "true".__eq__,
    "silent": "true".__eq__,
    "familiarity": float,
}


def parquet() -> Any:
    """Return the modules `pyarrow` and `pyarrow.parquet`.

    Raises:
        ConfigurationError: pyarrow is not installed.

    Example:
        >>> pyarrow, parquet_files = parquet()
        >>> parquet_files.ParquetWriter.__name__
        'ParquetWriter'
    """
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise ConfigurationError(
            "parquet: expected pyarrow (pip install 'ser-keras[parquet]') that fits NumPy, found "
            f"none ({error})"
        ) from error


def columns(labels: Sequence[str]) -> list[str]:
    """Name the columns of a table but for the instants.

    Example:
        >>> columns(["calm"])[3:]
        ['emotion', 'duration', 'padded', 'silent', 'familiarity', 'probability_calm']
    """
    return [*_BEFORE, *_AFTER, *(_PROBABILITY + label for label in labels)]


def row(line: Line) -> dict[str, Any]:
    """Lay out a line flat, its instants as they are.

    Text that is not Unicode, as file names may be, is escaped.

    Example:
        >>> row({"file": "a.wav", "emotion": "calm", "probabilities": {"calm": 1.0}})
        {'file': 'a.wav', 'emotion': 'calm', 'probability_calm': 1.0}
    """
    flat = {key: value for key, value in finite(dict(line)).items() if key != "probabilities"}
    shares = line.get("probabilities", {}).items()
    flat["file"] = text(flat["file"])
    return flat | {_PROBABILITY + label: share for label, share in shares}


def text(name: str) -> str:
    r"""Return a file's name as text, with an escape for every byte that is none.

    Example:
        >>> text("caf\udce9.wav")
        'caf\\udce9.wav'
    """
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def line_of(flat: Line) -> dict[str, Any]:
    """Make a line of a row, as it was before `row`.

    Example:
        >>> line_of({"file": "a.wav", "emotion": "calm", "error": None, "probability_calm": 1.0})
        {'file': 'a.wav', 'emotion': 'calm', 'probabilities': {'calm': 1.0}}
    """
    if flat.get("error") is not None:
        names: tuple[str, ...] = ("file", "channel", "error")
        return {name: flat[name] for name in names if flat.get(name) is not None}
    line: dict[str, Any] = {}
    for name, value in flat.items():
        if name == "emotion":
            line["emotion"] = value
            line["probabilities"] = {
                key.removeprefix(_PROBABILITY): share
                for key, share in flat.items()
                if key.startswith(_PROBABILITY)
            }
        elif name == "familiarity" or (value is not None and not name.startswith(_PROBABILITY)):
            line[name] = value
    return line


class CsvTable:
    """Writes rows of CSV as they come; the first answer tells the classes.

    Errors before it wait, so that there is one line of column names.

    Args:
        file: open for text.
        labels: the classes, if they are known.

    Example:
        >>> import sys
        >>> table = CsvTable(sys.stdout)
        >>> table.show({"file": "a.wav", "error": "expected sound, found an empty file"})
        >>> table.finish()
        file,channel,error,emotion,duration,padded,silent,familiarity
        a.wav,,"expected sound, found an empty file",,,,,
    """

    def __init__(self, file: TextIO, labels: Sequence[str] = ()) -> None:
        self._file = file
        self._waiting: list[dict[str, Any]] = []
        self._table: csv.DictWriter[str] | None = None
        if labels:
            self._begin(labels)

    def show(self, line: Line) -> None:
        """Write a line's row."""
        if self._table is None and "probabilities" in line:
            self._begin(list(line["probabilities"]))
        values = {name: _csv_value(value) for name, value in row(line).items()}
        if self._table is None:
            self._waiting.append(values)
        else:
            self._table.writerow(values)
            self._file.flush()

    def finish(self) -> None:
        """Write what waits for an answer that did not come."""
        if self._table is None:
            self._begin([])

    def _begin(self, labels: Sequence[str]) -> None:
        names = columns(labels)
        self._table = csv.DictWriter(self._file, names, extrasaction="ignore", lineterminator="\n")
        self._table.writeheader()
        self._table.writerows(self._waiting)
        self._waiting = []


def _csv_value(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def schema(labels: Sequence[str]) -> Any:
    """Return the schema of Parquet files, a `pyarrow.Schema`.

    Example:
        >>> schema(["calm"]).names == [*columns(["calm"]), "instants"]
        True
    """
    arrow, _ = parquet()
    number, name, flag = arrow.float64(), arrow.string(), arrow.bool_()
    types = {"channel": arrow.int64(), "padded": flag, "silent": flag}
    types |= dict.fromkeys(("file", "error", "emotion"), name)
    # Parquet has no structure without fields.
    shares = {"probabilities": arrow.struct([(label, number) for label in labels])}
    instant = {
        "time": number,
        "emotion": name,
        **(shares if labels else {}),
        "sampled_fraction": number,
    }
    fields = [(column, types.get(column, number)) for column in columns(labels)]
    return arrow.schema([*fields, ("instants", arrow.list_(arrow.struct(list(instant.items()))))])


def write(path: Path, form: str, lines: Iterable[Line], labels: Sequence[str]) -> None:
    """Write a table that appears whole or not at all, in memory that does not grow.

    Args:
        path: the file.
        form: csv or parquet.
        lines: of all rows.
        labels: the classes in all lines.

    Example:
        >>> write(Path("a.parquet"), "parquet", [{"file": "a.wav", "error": "damaged"}], [])
        >>> list(read(Path("a.parquet"), "parquet"))
        [{'file': 'a.wav', 'error': 'damaged'}]
    """
    with replacing(path) as temporary:
        if form == "csv":
            with temporary.open("w", encoding="utf-8", newline="") as file:
                table = CsvTable(file, labels)
                for line in lines:
                    table.show(line)
                table.finish()
            return
        arrow, files = parquet()
        of_all, rows = schema(labels), []
        with files.ParquetWriter(temporary, of_all, compression="zstd") as writer:
            for line in lines:
                rows.append(row(line))
                if len(rows) == ROWS:
                    writer.write_table(arrow.Table.from_pylist(rows, of_all))
                    rows = []
            writer.write_table(arrow.Table.from_pylist(rows, of_all))


def read(path: Path, form: str) -> Iterator[dict[str, Any]]:
    """Read the lines that a table was made of; those of CSV have no instants.

    Raises:
        ConfigurationError: the file is another table, or none.

    Example:
        >>> written = Path("a.csv").write_text("path,emotion")
        >>> next(read(Path("a.csv"), "csv"))
        Traceback (most recent call last):
        ser_keras.errors.ConfigurationError: a.csv: expected a csv table of answers, found another
    """
    rows = _csv_rows(path) if form == "csv" else _parquet_rows(path)
    try:
        yield from map(line_of, rows)
    except (ValueError, KeyError) as error:  # pyarrow's errors, and those of text, are ValueErrors
        expected = f"a {form} table of answers"
        raise ConfigurationError(f"{path}: expected {expected}, found another") from error


def _csv_rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="") as file:
        table = csv.DictReader(file, strict=True)
        _check_columns(table.fieldnames or ())
        for found in table:
            yield {
                name: _READ.get(name, float if name.startswith(_PROBABILITY) else str)(value)
                for name, value in found.items()
                if value
            } | ({} if found["familiarity"] else {"familiarity": None})


def _parquet_rows(path: Path) -> Iterator[dict[str, Any]]:
    _, files = parquet()
    with files.ParquetFile(path) as file:
        _check_columns(file.schema_arrow.names)
        for batch in file.iter_batches(ROWS):
            yield from batch.to_pylist()


def _check_columns(found: Sequence[str]) -> None:
    if tuple(found[: len(columns([]))]) != tuple(columns([])):
        raise ValueError(found)


def chosen(form: str | None, path: Path | None) -> str:
    """Return the format that is asked for by name, else by the ending of a file's name.

    Example:
        >>> chosen(None, Path("a.parquet")), chosen("json", Path("a.csv")), chosen(None, None)
        ('parquet', 'json', 'json')
    """
    if form is None and path is not None and path.suffix.lower() in (".csv", ".parquet"):
        form = path.suffix.lower()[1:]
    found = form or "json"
    require(found in FORMATS, "format", found, ", ".join(FORMATS))
    if found == "parquet":
        parquet()
    return found
