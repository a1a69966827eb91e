"""Other processes, for tests of what is left of them."""

from __future__ import annotations

import contextlib
from pathlib import Path


def descendants(process: int, module: str) -> set[int]:
    """Find the processes that a process has started, and those that these have, by Linux' /proc.

    Args:
        process: the one that is asked about.
        module: what those that count run: a word of their command, not part of a shell's.
    """
    parents = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            parents[int(entry.name)] = int(fields[1])
    found = {process}
    while more := {each for each, parent in parents.items() if parent in found} - found:
        found |= more
    return {each for each in found - {process} if module in _command(each)}


def runs(process: int) -> bool:
    """Tell whether a process runs: one that has ended, but not been asked for, has no command."""
    return bool(_command(process))


def _command(process: int) -> list[str]:
    try:
        words = Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:  # it has ended
        return []
    return words.decode(errors="replace").split("\0")[:-1]
