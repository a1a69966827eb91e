"""The end of a benchmark: its measurements as JSON and as a table, in a folder and printed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ser_keras.errors import SerKerasError
from ser_keras.files import output_folder, write_json, write_text


def leave(
    name: str,
    folder: Path,
    measure: Callable[[Path], dict[str, Any]],
    markdown: Callable[[dict[str, Any]], str],
) -> int:
    """Measure, write NAME.json and NAME.md and print the table; return the exit status.

    Args:
        name: of the benchmark, as in `python -m benchmarks.NAME`.
        folder: where to, made if need be.
        measure: takes the folder, returns what is to be JSON.
        markdown: makes a table of that.
    """
    try:
        out = output_folder(folder)
        found = measure(out)
        shown = markdown(found)
        write_json(out / f"{name}.json", found)
        write_text(out / f"{name}.md", shown)
    except SerKerasError as error:
        print(f"benchmarks.{name}: {error}", file=sys.stderr)
        return 1
    print(shown, end="")
    return 0
