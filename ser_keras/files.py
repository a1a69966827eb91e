"""Result files, written whole or not at all, so that a reader never sees half of one.

A name appears when its content is on the disk: neither a kill nor a loss of power leaves half.

Functions raise `OutputError` where the disk is full or a folder is a file, or cannot be made or
written to.
"""

from __future__ import annotations

import contextlib
import csv
import glob
import io
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ser_keras.errors import SerKerasError

# Unicode's line separators, at which programs may divide what is one line of JSON.
_LINE_SEPARATORS = {code: f"\\u{code:04x}" for code in (0x85, 0x2028, 0x2029)}


class OutputError(SerKerasError, OSError):
    """A result cannot be written where the user wants it.

    Example:
        >>> output_folder("/dev/null")
        Traceback (most recent call last):
        ser_keras.files.OutputError: /dev/null: expected a folder to write to, found ...
    """


def output_folder(path: str | os.PathLike[str]) -> Path:
    """Make a folder for results unless it exists.

    Example:
        >>> output_folder("runs/first").is_dir()
        True
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(
            f"{folder}: expected a folder to write to, found otherwise ({error.strerror})"
        ) from error
    return folder


@contextlib.contextmanager
def replacing(path: Path, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `path`, moved there when the block ends without an error.

    A file or folder is made at the temporary path. After an error, a file of the name `path` stays
    as it was. After a kill, the next call for the same path removes what was left.

    Args:
        path: what is to appear whole or not at all; a folder is not moved onto another.
        durable: what has appeared survives a loss of power. False for what is checked when it is
            read and can be made again, and is written too often to wait for the disk.

    Example:
        >>> with replacing(Path("a.npy")) as temporary:
        ...     np.save(temporary, np.zeros(3))
        >>> np.load("a.npy")
        array([0., 0., 0.])
    """
    # Keras, NumPy and matplotlib tell formats by the suffix, so it stays.
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        if durable:
            _remove_left(path)
        yield temporary
        if durable:
            _flush(temporary)
        temporary.replace(path)
        if durable:
            _flush_entries(path.parent)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        _remove(temporary)


def _remove_left(path: Path) -> None:
    """Remove the temporary files and folders that killed processes left beside `path`."""
    for left in path.parent.glob(f".[0-9]*-{glob.escape(path.name)}"):
        process = left.name[1:].removesuffix(f"-{path.name}")
        if process.isdecimal() and not _runs(int(process)):
            _remove(left)


def _runs(process: int) -> bool:
    """Return whether there is such a process; True where that cannot be known."""
    if os.name == "nt":  # where `os.kill` ends it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Wait until a file, or all that is in a folder, is on the disk and not only in its cache."""
    if path.is_dir():
        for entry in path.iterdir():
            _flush(entry)
        _flush_entries(path)
        return
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _flush_entries(folder: Path) -> None:
    """Do so for the names in a folder, where the file system can."""
    with contextlib.suppress(OSError):  # Windows opens no folder, and some network drives refuse
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8.

    Example:
        >>> write_text(Path("a.txt"), "surprisé")
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_csv(
    path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None
) -> None:
    """Write a CSV file with a line of column names, by default those of the first row.

    A value of None becomes an empty field.

    Example:
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
    """Write a JSON file, with null for numbers that are not finite.

    Example:
        >>> write_json(Path("a.json"), {"loss": float("nan")})
        >>> Path("a.json").read_text().split()
        ['{', '"loss":', 'null', '}']
    """
    write_text(path, json.dumps(finite(value), indent=2, ensure_ascii=False) + "\n")


def json_line(value: Any) -> str:
    """Return JSON on one line, names as they are but for bytes that are not text.

    Example:
        >>> json_line({"file": "Größe.wav", "p": [0.5, float("nan")]})
        '{"file": "Größe.wav", "p": [0.5, null]}'
    """
    line = json.dumps(finite(value), ensure_ascii=False)
    line = line.translate(_LINE_SEPARATORS)
    # The escape of a lone surrogate is Python's as well as JSON's.
    return line.encode("utf-8", "backslashreplace").decode("utf-8")


def finite(value: Any) -> Any:
    """Copy a value, with None for NaN and infinities, which JSON does not have.

    Example:
        >>> finite({"p": (0.5, float("inf"))})
        {'p': [0.5, None]}
    """
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def cache_directory() -> Path:
    """Return `$SER_KERAS_CACHE`, else `$XDG_CACHE_HOME/ser_keras`, else `~/.cache/ser_keras`.

    Example:
        >>> cache_directory().is_absolute()
        True
    """
    if chosen := os.environ.get("SER_KERAS_CACHE"):
        return Path(chosen).expanduser().absolute()
    caches = os.environ.get("XDG_CACHE_HOME")
    return (Path(caches) if caches else Path.home() / ".cache").absolute() / "ser_keras"
