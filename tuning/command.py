"""`ser-keras tune`: a search for hyperparameters, on one machine or many."""

from __future__ import annotations

import argparse
from pathlib import Path

from ser_keras.commands import options as shared
from ser_keras.errors import ConfigurationError
from ser_keras.fields import require

HELP = "search for hyperparameters by cross-validation inside the training subset"
RESUMES = True  # after Ctrl-C

_BUDGET = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add = parser.add_argument
    shared.add(parser, *shared.TRAINING, "fold")

    space = "search space: paper, full, or a TOML file of your own (default: paper)"
    add("--space", default="paper", metavar="NAME", help=space)
    algorithms = ("random", "hyperband", "bayesian")
    add("--search", choices=algorithms, default="random", help="algorithm (default: random)")
    add("--budget", type=int, metavar="TRIALS", help=f"most trials ({_BUDGET} without --hours)")
    add("--hours", type=float, metavar="H", help="begin no trial later than this from now on")
    add(
        "--test",
        type=int,
        default=0,
        metavar="SEEDS",
        help="afterwards train the best and the preset on the whole training subset with this many "
        "seeds, and evaluate both on the test subset (default: 0, leave the test subset alone)",
    )

    objective = "accuracy to maximise (default: weighted)"
    add("--objective", choices=("weighted", "unweighted"), default="weighted", help=objective)
    add("--folds", type=int, default=4, metavar="K", help="(default: 4)")
    folds_by = "how folds are drawn (default: speaker for --split speaker, else random)"
    add("--folds-by", choices=("random", "speaker"), help=folds_by)
    patience = "stop a fold after this many epochs without improvement (default: 50)"
    add("--patience", type=int, default=50, metavar="EPOCHS", help=patience)
    every = "evaluate on the held-out utterances this often (default: 5)"
    add("--every", type=int, default=5, metavar="EPOCHS", help=every)
    no_prune = "run all folds even of trials that are far behind the best after the first"
    add("--no-prune", action="store_true", help=no_prune)

    role = "chief: give trials out to workers; worker: run them (default: alone)"
    add("--role", choices=("alone", "chief", "worker"), default="alone", help=role)
    add("--address", metavar="HOST:PORT", help="where the chief listens, and workers find it")
    add(
        "--lost-after",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="give up a worker that has sent no heartbeat for this long, and run its trial again "
        "(default: 60)",
    )
    add("--out", type=Path, metavar="DIR", help="folder for results; a worker has none")


def run(options: argparse.Namespace) -> int:
    """Search, and print where the best preset is."""
    _check(options)
    training_run = shared.training_run(options, fold=options.fold, validation_fraction=0.0)
    from ser_keras.tuning import spaces
    from ser_keras.tuning.cross_validation import Protocol
    from ser_keras.tuning.run import run_search, run_worker
    from ser_keras.tuning.search import Search

    protocol = Protocol(
        folds=options.folds,
        by=options.folds_by or ("speaker" if options.split == "speaker" else "random"),
        objective=f"{options.objective}_accuracy",
        patience=options.patience,
        every=options.every,
        seed=options.seed,
    )
    space, prune = spaces.load(options.space), not options.no_prune
    search = Search(training_run, space, options.search, protocol, prune)
    if options.role == "worker":
        run_worker(search, options.address)
        return 0
    best = run_search(
        search,
        options.out,
        budget=options.budget or (None if options.hours else _BUDGET),
        hours=options.hours,
        address=options.address,
        lost_after=options.lost_after,
        test_seeds=options.test,
    )
    print(best)
    return 0


def _check(options: argparse.Namespace) -> None:
    budget, hours, lost_after = options.budget, options.hours, options.lost_after
    require(budget is None or budget >= 1, "--budget", budget, "1 or more")
    require(options.test >= 0, "--test", options.test, "0 or more")
    require(hours is None or hours > 0, "--hours", hours, "more than 0")
    require(lost_after > 0, "--lost-after", lost_after, "more than 0")
    if options.out is None and options.role != "worker":
        raise ConfigurationError("--out DIR: expected a folder for results, found none")
    if (options.role == "alone") != (options.address is None):
        raise ConfigurationError(
            "--address HOST:PORT: expected with --role chief or worker, and only there; found "
            f"--role {options.role} {'without' if options.address is None else 'with'} it"
        )
