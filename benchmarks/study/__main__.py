"""`python -m benchmarks.study`: an ablation study of a preset.

Trains the preset with one thing changed at a time, on the splits asked for, and writes one table of
all runs in OUT. A killed study resumes; several processes may share OUT, each with variations or
splits of its own.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from benchmarks.study import table
from benchmarks.study.measurement import collect, measure
from benchmarks.study.variations import VARIATIONS
from ser_keras.commands import options as shared
from ser_keras.errors import ConfigurationError, SerKerasError
from ser_keras.files import output_folder, write_json, write_text


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    names = options.only or list(VARIATIONS)
    try:
        _refuse_what_varies(options)
        out = output_folder(options.out)
        measure(shared.training_run(options), _indexes(options.split_indexes), names, out)
        study = collect(out)
        shown = table.markdown(study)
        write_json(out / "study.json", study)
        write_text(out / "study.md", shown)
    except SerKerasError as error:
        print(f"benchmarks.study: {error}", file=sys.stderr)
        return 1
    print(shown, end="")
    return 0


def _refuse_what_varies(options: argparse.Namespace) -> None:
    """Refuse options of the preset that variations and split indexes decide."""
    if options.no_attention:
        raise ConfigurationError("--no-attention: expected --only no-attention, a variation")
    if options.seed and options.split == "random":
        raise ConfigurationError(
            f"--seed {options.seed}: expected --split-indexes, the splits' seeds"
        )


def _indexes(text: str) -> list[int]:
    try:
        return [int(index) for index in text.split(",")]
    except ValueError as error:
        raise ConfigurationError(
            f"--split-indexes: expected numbers such as 0,1,2, found {text!r}"
        ) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.study", description=__doc__)
    shared.add(parser, *shared.TRAINING, preset="convolutional", split="speaker")
    parser.add_argument(
        "--split-indexes",
        default="0,1,2",
        metavar="N,…",
        help="folds, or seeds of random splits (default: %(default)s)",
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=VARIATIONS,
        metavar="NAME",
        help=f"one variation, may be repeated: {', '.join(VARIATIONS)} (default: all)",
    )
    shared.add(parser, "out")
    return parser


if __name__ == "__main__":
    sys.exit(main())
