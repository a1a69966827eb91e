"""The answers of `predict`: where they go, and which recordings have one already."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from ser_keras.files import OutputError, json_line, replacing
from ser_keras.recognition import tables
from ser_keras.sound.takes import Take

Line = Mapping[str, Any]


@contextlib.contextmanager
def output(
    out: Path | None, files: Sequence[str], form: str | None
) -> Iterator[Callable[[Line], None]]:
    """Open what takes the lines: a file, a terminal's table or standard output.

    Args:
        out: a file of JSON lines to append to; None for standard output.
        files: the names of the recordings.
        form: on standard output, json or csv; None for JSON, or on a terminal a table to look at.

    Example:
        >>> with output(None, ["a.wav"], "json") as show:
        ...     show({"file": "a.wav", "emotion": "calm"})
        {"file": "a.wav", "emotion": "calm"}
    """
    if out is not None:
        with _appending(out) as show:
            yield show
    elif form == "csv":
        table = tables.CsvTable(sys.stdout)
        yield table.show
        table.finish()
    elif form == "json" or not sys.stdout.isatty():
        yield lambda line: print(json_line(line), flush=True)
    else:
        from ser_keras.commands.table import AnswerTable

        yield AnswerTable(files).show


def answered(out: Path | None) -> set[Take]:
    """Return the recordings, or channels of them, that a file of lines has an answer for.

    Example:
        >>> written = Path("lines.jsonl").write_text('{"file": "a.wav", "emotion": "calm"}')
        >>> answered(Path("lines.jsonl"))
        {Take(file='a.wav', channel=None)}
    """
    found: set[Take] = set()
    with _reading(out) as file:
        for _, answer in _offsets(file):
            with contextlib.suppress(KeyError, TypeError, AttributeError):  # another file's line
                if "error" not in answer:
                    found.add(Take(answer["file"], answer.get("channel")))
    return found


def lines_file(out: Path, form: str) -> Path:
    """Return the file that lines are appended to until `finish` makes a table of them.

    It is the result itself if that is JSON, and OUT.lines beside a table. If there is a table
    already, it is filled with what that holds, so that the table is gone on with.

    Example:
        >>> lines_file(Path("a.jsonl"), "json"), lines_file(Path("a.csv"), "csv")
        (PosixPath('a.jsonl'), PosixPath('a.csv.lines'))
    """
    if form == "json":
        return out
    lines = out.with_name(f"{out.name}.lines")
    if out.exists() and not lines.exists():
        with replacing(lines) as temporary, temporary.open("w", encoding="utf-8") as file:
            for line in tables.read(out, form):
                print(json_line(line), file=file)
    return lines


def finish(out: Path, form: str, asked: Iterable[Take]) -> None:
    """Make a table of its file of lines, which is then removed.

    Rows are in the order asked for, behind those that were there before and are not asked for.

    Example:
        >>> lines = Path("b.csv.lines").write_text('{"file": "a.wav", "error": "damaged"}')
        >>> finish(Path("b.csv"), "csv", [Take("a.wav")])
        >>> Path("b.csv").read_text().splitlines()[1]
        'a.wav,,damaged,,,,,'
    """
    if form == "json":
        return
    lines = lines_file(out, form)
    offsets: dict[Take, int] = {}  # of the last line of each
    labels: dict[str, None] = {}
    with _reading(lines) as file:
        for offset, line in _offsets(file):
            offsets[Take(tables.text(line["file"]), line.get("channel"))] = offset
            labels |= dict.fromkeys(line.get("probabilities", {}))
        wanted = dict.fromkeys(Take(tables.text(take.file), take.channel) for take in asked)
        order = [*(take for take in offsets if take not in wanted), *wanted]
        found = (_line_at(file, offsets[take]) for take in order if take in offsets)
        tables.write(out, form, found, list(labels))
    lines.unlink(missing_ok=True)


def _offsets(file: BinaryIO) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the lines of a file that are whole, and where each begins."""
    offset = 0
    for content in file:
        # An interrupted run leaves half a line.
        with contextlib.suppress(ValueError):
            yield offset, json.loads(content)
        offset += len(content)


def _line_at(file: BinaryIO, offset: int) -> dict[str, Any]:
    file.seek(offset)
    return json.loads(file.readline())


@contextlib.contextmanager
def _reading(lines: Path | None) -> Iterator[BinaryIO]:
    """Open a file of lines; an empty one, where nothing was answered."""
    with lines.open("rb") if lines and lines.is_file() else io.BytesIO() as file:
        yield file


@contextlib.contextmanager
def _appending(out: Path) -> Iterator[Callable[[Line], None]]:
    try:
        with out.open("ab+") as end:
            if end.tell() and end.seek(-1, os.SEEK_END) >= 0 and end.read() != b"\n":
                end.write(b"\n")  # behind half a line
        with out.open("a", encoding="utf-8") as file:
            yield lambda line: print(json_line(line), file=file, flush=True)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written ({error.strerror or error})") from error
