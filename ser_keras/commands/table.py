"""Answers to recordings as a table on a terminal, each row as soon as it is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

_BAR = 24  # characters of a probability of 1
_EMOTION = 11  # characters of an emotion
_BESIDE_FILE = _EMOTION + _BAR + 20  # characters of a row without the file
_NARROWEST = 12  # characters of a file
_FLAGS = ("padded", "silent")


class AnswerTable:
    """Prints lines of `predict`: the file, its emotion and a bar of the emotion's probability.

    Args:
        files: the names of all files; the first column is as wide as the longest, if that fits.
        console: standard output if None.

    Example:
        >>> table = AnswerTable(["a.wav"], Console(width=60))
        file   emotion     probability
        >>> table.show({"file": "a.wav", "emotion": "sad", "probabilities": {"sad": 0.75}})
        a.wav  sad         ██████████████████        75%
    """

    def __init__(self, files: Sequence[str], console: Console | None = None) -> None:
        self._console = console or Console()
        longest = max(cell_len(_printable(name)) for name in ("file", *files))
        self._width = min(longest, max(_NARROWEST, self._console.width - _BESIDE_FILE))
        self._print(Text(self._columns("file", "emotion") + "probability", "bold"))

    def show(self, line: Mapping[str, Any]) -> None:
        """Print the row of a line."""
        name = _shortened(_printable(line["file"]), self._width)
        channel = [f"channel {line['channel']}"] if "channel" in line else []
        if "error" in line:
            self._print(Text.assemble(self._columns(name), (_printable(line["error"]), "red")))
            return
        probability = line["probabilities"][line["emotion"]]
        bar = ("█" * round(_BAR * probability)).ljust(_BAR)
        flags = ", ".join([*channel, *(flag for flag in _FLAGS if line.get(flag))])
        columns = self._columns(name, _printable(line["emotion"]))
        share = f" {probability:4.0%}  "
        self._print(Text.assemble(columns, (bar, "green"), share, (flags, "yellow")))

    def _columns(self, name: str, *emotion: str) -> str:
        padded = [set_cell_size(name, self._width), *(set_cell_size(e, _EMOTION) for e in emotion)]
        return "".join(f"{cell}  " for cell in padded)

    def _print(self, row: Text) -> None:
        row.rstrip()
        self._console.print(row, soft_wrap=True)


def _printable(name: str) -> str:
    """Replace characters that a terminal cannot show, or would obey."""
    return "".join(character if character.isprintable() else "?" for character in name)


def _shortened(name: str, width: int) -> str:
    """Cut off the beginning of a name that is too wide: its end tells more."""
    if cell_len(name) <= width:
        return name
    while cell_len(name) >= width:
        name = name[1:]
    return f"…{name}"
