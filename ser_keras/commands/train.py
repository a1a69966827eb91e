"""`ser-keras train`: one training run."""

from __future__ import annotations

import argparse

from ser_keras.commands import options as shared

HELP = "train a model; called again after a kill, it goes on"
RESUMES = True  # after Ctrl-C


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    shared.add_corpus(parser)
    shared.add_preset(parser)
    shared.add_split(parser, "random")
    parser.add_argument("--fold", type=int, default=0, metavar="K", help="fold left out (0)")
    parser.add_argument(
        "--validation-fraction",
        type=float,
        default=0.1,
        metavar="F",
        help="share of the training part that is only watched (0.1); a predefined split that names "
        "a validation part has that one, unless F is 0",
    )
    shared.add_out(parser)


def run(options: argparse.Namespace) -> int:
    """Train, and print where the model is."""
    run = shared.training_run(
        options, fold=options.fold, validation_fraction=options.validation_fraction
    )
    from ser_keras.model import files as model_files
    from ser_keras.training.train import train

    train(run, options.out)
    print(options.out / model_files.MODEL_FILE)
    return 0
