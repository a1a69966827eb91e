"""`ser-keras reproduce`: the paper's tables and figure."""

from __future__ import annotations

import argparse

from ser_keras.commands import options as shared
from ser_keras.errors import ConfigurationError
from ser_keras.evaluation import paper

HELP = "Tables 1 and 2, Figure 2 and the ablation; called again after a kill, it goes on"
RESUMES = True  # after Ctrl-C


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    shared.add_corpus(parser)
    shared.add_preset(parser)
    shared.add_split(parser, None)
    parser.add_argument(
        "--seeds", type=int, default=3, metavar="N", help="how many random splits (3)"
    )
    shared.add_out(parser)


def run(options: argparse.Namespace) -> int:
    """Reproduce, and print Table 1."""
    if options.no_attention:
        raise ConfigurationError("--no-attention: `reproduce` always measures both")
    if options.seeds < 1:
        raise ConfigurationError(f"--seeds: found {options.seeds}, expected at least 1")
    run = shared.training_run(options, split=options.split or paper.protocol(options.corpus))
    from ser_keras.evaluation import reproduction

    print(reproduction.summary(reproduction.reproduce(run, options.out, options.seeds)))
    return 0
