"""`python -m benchmarks.explanation`: whether what surprised a model is what moved its answer.

Goes through the test subset of RUN again and replaces the most surprising 0 to 50 % of a recording
by the model's own predictions (deletion), or hears nothing but predictions after the first window
and puts the most surprising back (insertion): cells of the joined map, then whole instants. What is
random and what is loudest are the controls. A killed measurement resumes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.explanation import figure, measurement, table
from benchmarks.outcome import leave
from ser_keras.commands import options as shared
from ser_keras.evaluation.plots import save


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.explanation", description=__doc__)
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a trained run")
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="take every Nth recording (default: 1)"
    )
    shared.add(parser, "out")
    options = parser.parse_args(arguments)

    def measure(out: Path) -> dict[str, Any]:
        found = measurement.measure(options.run, options.every, out)
        save(figure.draw(found), out / "explanation.png")
        return found

    return leave("explanation", options.out, measure, table.markdown)


if __name__ == "__main__":
    sys.exit(main())
