"""`python -m benchmarks.accuracy`: the accuracy of other models on the VRNN's splits."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.accuracy import table
from benchmarks.accuracy.measurement import PAPER, WHOLE, measure
from benchmarks.accuracy.registry import BASELINES
from benchmarks.accuracy.splits import all_splits, of_runs
from ser_keras import corpora
from ser_keras.corpora import splits
from ser_keras.errors import ConfigurationError, SerKerasError
from ser_keras.files import write_json, write_text


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    names = options.only or list(BASELINES)
    try:
        if options.splits_of and options.run:
            raise ConfigurationError(
                "--run: expected --corpus beside it, found --splits-of, which adds its runs itself"
            )
        if options.splits_of:
            corpus, series = of_runs(options.splits_of)
        else:
            corpus = corpora.load(options.corpus, options.data)
            series = list(all_splits(corpus, options.split, options.seeds))
        baselines = {name: BASELINES[name] for name in names}
        spec = WHOLE if options.splits_of else PAPER
        accuracy = measure(corpus, series, baselines, options.out, spec)
        for reproduction in options.reproduction:
            accuracy = table.add_vrnn(accuracy, reproduction)
        if options.run:
            accuracy = table.add_runs(accuracy, options.run)
        accuracy = table.add_own(accuracy, options.splits_of or [])
        shown = table.markdown(accuracy)
        write_json(options.out / "accuracy.json", accuracy)
        write_text(options.out / "accuracy.md", shown)
    except SerKerasError as error:
        print(f"benchmarks.accuracy: {error}", file=sys.stderr)
        return 1
    print(shown, end="")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--corpus", choices=corpora.names(), metavar="NAME")
    which.add_argument(
        "--splits-of",
        action="append",
        type=Path,
        metavar="RUN",
        help="run of `ser-keras train` or `cross-corpus`, on one corpus or several: measure on "
        "its split alone; may be repeated",
    )
    parser.add_argument("--data", metavar="DIR", help="its folder, or the CSV of a manifest")
    parser.add_argument("--split", choices=splits.KINDS, default="random")
    parser.add_argument(
        "--seeds", type=int, default=3, metavar="N", help="number of random splits (3)"
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=BASELINES,
        metavar="NAME",
        help=f"one baseline, may be repeated: {', '.join(BASELINES)} (default: all)",
    )
    parser.add_argument(
        "--reproduction",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="reproduction.json of `ser-keras reproduce` on the same splits, for the VRNN's rows; "
        "may be repeated for several presets",
    )
    parser.add_argument(
        "--run",
        action="append",
        default=[],
        type=Path,
        metavar="RUN",
        help="evaluated run of `ser-keras train`, once for every split: the VRNN's row where there "
        "is no reproduction.json",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    return parser


if __name__ == "__main__":
    sys.exit(main())
