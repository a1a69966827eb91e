"""`ser-keras tune`: a search for hyperparameters, on one machine or many."""

from __future__ import annotations

import argparse
from pathlib import Path

from ser_keras.commands import options as shared
from ser_keras.errors import ConfigurationError

HELP = "search for hyperparameters by cross-validation inside the training part"

BUDGET = 12
ROLES = ("alone", "chief", "worker")
RESUMES = True  # after Ctrl-C


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    shared.add(parser, *shared.TRAINING, "fold")
    _add_search(parser)
    _add_protocol(parser)
    _add_roles(parser)
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder for results; a worker has none"
    )


def _add_search(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--space",
        default="paper",
        metavar="NAME",
        help="what is searched: paper, full, or a TOML file of your own (default: paper)",
    )
    parser.add_argument(
        "--search",
        choices=("random", "hyperband", "bayesian"),
        default="random",
        help="how (default: random)",
    )
    parser.add_argument(
        "--budget", type=int, metavar="TRIALS", help=f"trials at most ({BUDGET} without --hours)"
    )
    parser.add_argument(
        "--hours", type=float, metavar="H", help="begin no trial later than this from now on"
    )
    parser.add_argument(
        "--test",
        type=int,
        default=0,
        metavar="SEEDS",
        help="afterwards train the best and the preset on the whole training part with this many "
        "seeds, and evaluate both on the test part (default: 0, leave the test part alone)",
    )


def _add_protocol(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--objective",
        choices=("weighted", "unweighted"),
        default="weighted",
        help="accuracy to maximise (default: weighted)",
    )
    parser.add_argument("--folds", type=int, default=4, metavar="K", help="(default: 4)")
    parser.add_argument(
        "--folds-by",
        choices=("random", "speaker"),
        help="(default: speaker for --split speaker, else random)",
    )
    parser.add_argument(
        "--patience",
        type=int,
        default=50,
        metavar="EPOCHS",
        help="stop a fold that has not got better for so long (default: 50)",
    )
    parser.add_argument(
        "--every",
        type=int,
        default=5,
        metavar="EPOCHS",
        help="answer for the utterances held out so often (default: 5)",
    )
    parser.add_argument(
        "--no-prune",
        action="store_true",
        help="run all folds of trials that are far behind the best after the first",
    )


def _add_roles(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--role",
        choices=ROLES,
        default="alone",
        help="chief: give trials out to workers; worker: run them (default: alone)",
    )
    parser.add_argument(
        "--address", metavar="HOST:PORT", help="where the chief listens, and workers find it"
    )
    parser.add_argument(
        "--lost-after",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="a worker not heard of for so long is given up, its trial run again (default: 60)",
    )


def run(options: argparse.Namespace) -> int:
    """Search, and print where the best preset is.

    Raises:
        SerKerasError: the space, the corpus or an option cannot be used; before any trial.
    """
    _check(options)
    run = shared.training_run(options, fold=options.fold, validation_fraction=0.0)
    from ser_keras.tuning import conduct, spaces
    from ser_keras.tuning.cross_validation import Protocol
    from ser_keras.tuning.search import Search

    search = Search(
        run=run,
        space=spaces.load(options.space),
        algorithm=options.search,
        protocol=Protocol(
            folds=options.folds,
            by=options.folds_by or ("speaker" if options.split == "speaker" else "random"),
            objective=f"{options.objective}_accuracy",
            patience=options.patience,
            every=options.every,
            seed=options.seed,
        ),
        prune=not options.no_prune,
    )
    if options.role == "worker":
        conduct.work(search, options.address)
        return 0
    best = conduct.search(
        search,
        options.out,
        budget=options.budget or (None if options.hours else BUDGET),
        hours=options.hours,
        address=options.address if options.role == "chief" else None,
        lost_after=options.lost_after,
        test_seeds=options.test,
    )
    print(best)
    return 0


def _check(options: argparse.Namespace) -> None:
    for name, least in (("budget", 1), ("test", 0)):
        value = getattr(options, name)
        if value is not None and value < least:
            raise ConfigurationError(f"--{name}: expected {least} or more, found {value}")
    for name in ("hours", "lost_after"):
        value = getattr(options, name)
        if value is not None and not value > 0:
            option = name.replace("_", "-")
            raise ConfigurationError(f"--{option}: expected more than 0, found {value}")
    if options.out is None and options.role != "worker":
        raise ConfigurationError("--out DIR: expected a folder for results, found none")
    if (options.role == "alone") != (options.address is None):
        raise ConfigurationError(
            "--role chief and --role worker need --address HOST:PORT, and only they; found "
            f"--role {options.role} {'without' if options.address is None else 'with'} --address"
        )
