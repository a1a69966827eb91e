"""The lines of `predict`: where they go, and which recordings have one already."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ser_keras.files import OutputError, json_line
from ser_keras.sound.takes import Take

Line = Mapping[str, Any]


@contextlib.contextmanager
def output(
    out: Path | None, files: Sequence[str], as_json: bool
) -> Iterator[Callable[[Line], None]]:
    """Open what takes the lines: a file, a terminal's table or standard output.

    Args:
        out: a file to append to; None for standard output.
        files: the names of the recordings.
        as_json: whether a terminal, too, gets lines of JSON.

    Example:
        >>> with output(None, ["a.wav"], as_json=True) as show:
        ...     show({"file": "a.wav", "emotion": "calm"})
        {"file": "a.wav", "emotion": "calm"}
    """
    if out is not None:
        with _appending(out) as show:
            yield show
    elif as_json or not sys.stdout.isatty():
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
    lines = out.read_text("utf-8").splitlines() if out and out.is_file() else []
    for line in lines:
        # An interrupted run leaves half a line at the end.
        with contextlib.suppress(ValueError, KeyError, TypeError):
            answer = json.loads(line)
            if "error" not in answer:
                found.add(Take(answer["file"], answer.get("channel")))
    return found


@contextlib.contextmanager
def _appending(out: Path) -> Iterator[Callable[[Line], None]]:
    try:
        half_a_line = out.exists() and out.read_bytes()[-1:] not in (b"", b"\n")
        with out.open("a", encoding="utf-8") as file:
            if half_a_line:
                file.write("\n")
            yield lambda line: print(json_line(line), file=file, flush=True)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written ({error.strerror or error})") from error
