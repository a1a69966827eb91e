"""`python -m benchmarks.attention`: what attention and generation are worth.

Answers the test subset of each RUN with other attention and with other values in place of the
prediction, and compares the prediction with copies of the last observation. Give runs of one
preset on several folds: intervals are over speakers.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.attention import measurement, table
from benchmarks.attention.variations import VARIATIONS
from benchmarks.outcome import leave
from ser_keras.commands import options as shared


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attention", description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder of a trained run")
    parser.add_argument(
        "--only",
        action="append",
        choices=tuple(VARIATIONS),
        metavar="NAME",
        help=f"measure this variation, and as-it-is; may be repeated: {', '.join(VARIATIONS)}",
    )
    shared.add(parser, "out")
    options = parser.parse_args(arguments)
    variations = options.only or tuple(VARIATIONS)
    return leave(
        "attention",
        options.out,
        lambda _: measurement.measure(options.runs, variations),
        table.markdown,
    )


if __name__ == "__main__":
    sys.exit(main())
