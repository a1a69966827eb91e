"""`python -m benchmarks.robustness`: the same speech at other levels, rates and cuts.

The model of each RUN recognises its test subset as it is and as recorded otherwise. Give runs of
one preset on several splits for a mean over all of them. With `--model`, other weights recognise
these subsets: those that `benchmarks.weights` made of the run.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.outcome import leave
from benchmarks.robustness import measurement
from benchmarks.robustness.changes import CHANGES
from ser_keras.commands import options as shared


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.robustness", description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder of a trained run")
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="take one of N recordings, in order (1)"
    )
    parser.add_argument(
        "--changes",
        nargs="+",
        choices=CHANGES,
        default=list(CHANGES),
        metavar="NAME",
        help=f"of {', '.join(CHANGES)} (all)",
    )
    parser.add_argument("--model", metavar="MODEL", help="weights instead of the runs' own")
    shared.add(parser, "out")
    options = parser.parse_args(arguments)
    return leave(
        "robustness",
        options.out,
        lambda _: measurement.measure(options.runs, options.every, options.changes, options.model),
        measurement.markdown,
    )


if __name__ == "__main__":
    sys.exit(main())
