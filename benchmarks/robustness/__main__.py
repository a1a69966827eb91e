"""`python -m benchmarks.robustness`: the same speech at other levels, rates and cuts.

The model of each RUN recognises its test subset as it is and as recorded otherwise. Give
runs of one preset on several splits for a mean over all of them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.robustness import measurement
from ser_keras.commands import options as shared
from ser_keras.errors import SerKerasError
from ser_keras.files import output_folder, write_json, write_text


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.robustness", description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder of a trained run")
    shared.add(parser, "out")
    options = parser.parse_args(arguments)
    try:
        out = output_folder(options.out)
        robustness = measurement.measure(options.runs)
        shown = measurement.markdown(robustness)
        write_json(out / "robustness.json", robustness)
        write_text(out / "robustness.md", shown)
    except SerKerasError as error:
        print(f"benchmarks.robustness: {error}", file=sys.stderr)
        return 1
    print(shown, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
