"""`ser-keras train`: one training run."""

from __future__ import annotations

import argparse

from ser_keras.commands import options as shared
from ser_keras.errors import ConfigurationError

HELP = "train a model; called again after a kill, it goes on"
RESUMES = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    shared.add(parser, *shared.TRAINING, "from", "freeze", "folds", "fold", "out", preset=None)
    parser.add_argument(
        "--teacher",
        action="append",
        default=[],
        metavar="RUN|FILE.keras|PRESET",
        help="learn the answers of this trained model, of the same classes, beside the labels; may "
        "be repeated, for the mean of several (--set teacher_share=F, 0.5 by default)",
    )
    parser.add_argument(
        "--validation-fraction",
        type=float,
        default=0.1,
        metavar="F",
        help="share of the training subset held out for learning curves and calibration, whole "
        "speakers where the split is by speaker or session; a split that names a validation subset "
        "has that one, unless F is 0 (default: %(default)s)",
    )


def run(options: argparse.Namespace) -> int:
    """Train, and print where the model is."""
    if options.freeze and options.pretrained is None:
        raise ConfigurationError("--freeze: expected --from beside it, found none")
    run = shared.training_run(
        options,
        folds=options.folds,
        fold=options.fold,
        validation_fraction=options.validation_fraction,
        pretrained=options.pretrained,
        frozen=tuple(options.freeze or ()),
        teachers=tuple(options.teacher),
    )
    from ser_keras.model import files as model_files
    from ser_keras.training.train import train

    train(run, options.out)
    print(options.out / model_files.MODEL_FILE)
    return 0
