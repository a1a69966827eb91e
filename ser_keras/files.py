"""Writing result files so that a reader never sees half of one."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ser_keras.errors import SerKerasError


class OutputError(SerKerasError, OSError):
    """A result cannot be written where the user wants it."""


def output_folder(path: str | os.PathLike[str]) -> Path:
    """Make a folder for results, or take the one that is there.

    Raises:
        OutputError: it is a file, or cannot be made or written to.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(
            f"output folder {folder}: found that it cannot be written to ({error.strerror}), "
            "expected a folder of yours"
        ) from error
    return folder


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` that becomes `path` when the block ends without an error."""
    # The suffix stays, since Keras and matplotlib tell formats by it.
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file, whole or not at all.

    Raises:
        OutputError: the disk is full or the folder cannot be written to.
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_csv(
    path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None
) -> None:
    """Write a table as CSV in UTF-8 under a line of column names, whole or not at all.

    Args:
        path: the file.
        rows: values by column; None becomes an empty field.
        columns: in order; by default those of the first row.

    Raises:
        OutputError: the disk is full or the folder cannot be written to.

    Example:
        >>> from pathlib import Path
        >>> from ser_keras.files import write_csv
        >>> write_csv(Path("a.csv"), [{"file": "a.wav", "end": 1.5}, {"file": "b", "end": None}])
        >>> Path("a.csv").read_text().split()
        ['file,end', 'a.wav,1.5', 'b,']
    """
    if columns is None:
        columns = list(rows[0]) if rows else []
    text = io.StringIO()
    table = csv.DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_text(path, text.getvalue())


def write_json(path: Path, value: Any) -> None:
    """Write JSON, whole or not at all; what is not a number becomes null."""
    write_text(path, json.dumps(finite(value), indent=2, ensure_ascii=False) + "\n")


def json_line(value: Any) -> str:
    """One line of JSON, in ASCII: a file's name may hold bytes that are no text."""
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:  # a model that has diverged
        return json.dumps(finite(value))


def finite(value: Any) -> Any:
    """A copy in which NaN and infinities, which JSON does not have, are None."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def cache_directory() -> Path:
    """`$SER_KERAS_CACHE`, else `$XDG_CACHE_HOME/ser_keras`, else `~/.cache/ser_keras`; absolute."""
    if chosen := os.environ.get("SER_KERAS_CACHE"):
        return Path(chosen).expanduser().absolute()
    caches = os.environ.get("XDG_CACHE_HOME")
    return (Path(caches) if caches else Path.home() / ".cache").absolute() / "ser_keras"
