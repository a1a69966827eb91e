"""`ser-keras cross-corpus`: people and corpora that a model was not trained on."""

from __future__ import annotations

import argparse

from ser_keras.commands import options as shared

HELP = (
    "train on several corpora and test on other speakers of each, then leave each corpus out in "
    "turn and test on it; called again after a kill, it goes on"
)
RESUMES = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    shared.add(parser, *shared.CORPUS, *shared.PRESET, "adapt-speakers", "out")
    # Both splits are made, whole speakers are held out, and nothing is drawn at random.
    parser.set_defaults(split="speaker", test_fraction=0.2)


def run(options: argparse.Namespace) -> int:
    """Train and evaluate, and print a table."""
    run = shared.training_run(options)
    from ser_keras.evaluation import cross_corpus

    found = cross_corpus.cross_corpus(run, options.out, options.adapt_speakers)
    print(cross_corpus.summary(found))
    return 0
