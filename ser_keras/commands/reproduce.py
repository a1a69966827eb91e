"""`ser-keras reproduce`: the paper's tables and figure."""

from __future__ import annotations

import argparse

from ser_keras.commands import corpus_options
from ser_keras.commands import options as shared
from ser_keras.errors import ConfigurationError
from ser_keras.evaluation import paper
from ser_keras.fields import require

HELP = (
    "reproduce Tables 1 and 2, Figure 2 and the ablation, on the paper's kind of split for that "
    "corpus or on --split; called again after a kill, it goes on"
)
RESUMES = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    shared.add(parser, *shared.TRAINING, "out", split=None)
    parser.add_argument(
        "--seeds",
        type=int,
        default=3,
        metavar="N",
        help="number of random splits; of other kinds all folds are used (default: %(default)s)",
    )


def run(options: argparse.Namespace) -> int:
    """Reproduce, and print Table 1."""
    if options.no_attention:
        raise ConfigurationError("--no-attention: expected no such option: both are measured")
    if options.split == "corpus":
        raise ConfigurationError(
            "--split: expected random, speaker, session or predefined, found corpus: models "
            "without one corpus have other classes than those without another"
        )
    require(options.seeds >= 1, "--seeds", options.seeds, "at least 1")
    several = len(corpus_options.pairs(options)) > 1
    usual = "speaker" if several else paper.protocol(options.corpus)
    run = shared.training_run(options, split=options.split or usual)
    from ser_keras.evaluation import reproduction

    print(reproduction.summary(reproduction.reproduce(run, options.out, options.seeds)))
    return 0
