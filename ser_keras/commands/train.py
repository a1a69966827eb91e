"""`ser-keras train`: one training run."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ser_keras.commands import options as shared
from ser_keras.errors import ConfigurationError
from ser_keras.fields import require

HELP = "train a model; called again after a kill, it goes on; on several machines with TF_CONFIG"
RESUMES = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    shared.add(
        parser, *shared.TRAINING, "from", "freeze", "folds", "fold", "out", corpus=None, preset=None
    )
    parser.add_argument(
        "--features",
        metavar="SHARDS",
        help="read the corpus and its observations from the folder that `features` left, in memory "
        "that does not grow with it, instead of --corpus",
    )
    parser.add_argument(
        "--teacher",
        action="append",
        default=[],
        metavar="RUN|FILE.keras|PRESET",
        help="learn the answers of this trained model, of the same classes, beside the labels; may "
        "be repeated, for the mean of several (--set teacher_share=F, 0.5 by default)",
    )
    parser.add_argument(
        "--unlabeled",
        metavar="DIR",
        help="learn to generate from the sound files in and below this folder too, which need no "
        "labels; with --teacher, also its answers to them",
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
    stored = _stored(options)
    if options.freeze and options.pretrained is None:
        raise ConfigurationError("--freeze: expected --from beside it, found none")
    if options.pretrained is None:
        shared.preset(options)  # a mistake in it is told at once, and not after some seconds
    shared.start_tensorflow()
    from ser_keras.model import files as model_files
    from ser_keras.training import workers
    from ser_keras.training.train import train

    model = options.out / model_files.MODEL_FILE
    with workers.restarting():
        # Before all else of TensorFlow; not to be told, alone, that all is done.
        strategy = None if model.exists() else workers.join()
        run = shared.training_run(
            options,
            **stored,
            folds=options.folds,
            fold=options.fold,
            validation_fraction=options.validation_fraction,
            pretrained=options.pretrained,
            frozen=tuple(options.freeze or ()),
            teachers=tuple(options.teacher),
            unlabeled=options.unlabeled,
        )
        train(run, options.out, strategy=strategy)
    print(model)
    return 0


def _stored(options: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of a run on shards; none of one on sound."""
    if options.features is None:
        require(options.corpus is not None, "--corpus, --features", "neither", "one of them")
        return {}
    for name in ("corpus", "data", "merge_synonyms"):
        option = f"--{name.replace('_', '-')}"
        require(
            not getattr(options, name), option, getattr(options, name), "none beside --features"
        )
    for option in ("teacher", "unlabeled"):
        value = getattr(options, option)
        require(not value, f"--{option}", value, "none beside --features")
    shared.start_tensorflow()
    from ser_keras.training import stored

    folder = str(Path(options.features).expanduser().absolute())  # as that of a corpus
    return {"features": folder, "corpus": stored.load_corpus(folder).name}
