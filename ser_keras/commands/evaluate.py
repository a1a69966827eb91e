"""`ser-keras evaluate`: how good a trained model is."""

from __future__ import annotations

import argparse
from pathlib import Path

from ser_keras.commands import options as shared
from ser_keras.errors import ConfigurationError

HELP = "evaluate a run on its own test part, or on the corpus given"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument(
        "model",
        metavar="RUN",
        help="folder that `train` left; for another corpus also a .keras file, or a preset that "
        "comes with weights",
    )
    parser.add_argument(
        "--corpus",
        metavar="NAME",
        help="another corpus, all of it; emotions are the model's classes by name or synonym, and "
        "utterances of others are left out and counted",
    )
    parser.add_argument("--data", metavar="DIR", help="its folder, or the CSV of a manifest")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for results (default: RUN)")


def run(options: argparse.Namespace) -> int:
    """Evaluate, and print a table."""
    if options.data and not options.corpus:
        raise ConfigurationError("--data: expected --corpus beside it")
    shared.start_tensorflow()
    from ser_keras import corpora
    from ser_keras.evaluation import results
    from ser_keras.evaluation.evaluate import evaluate
    from ser_keras.model import files as model_files

    folder = Path(options.model)
    if options.corpus and not options.out and not folder.is_dir():
        raise ConfigurationError(f"--out: {options.model} is no run's folder to leave results in")
    out = options.out or folder
    if options.corpus is None:
        evaluation = results.evaluate_run(model_files.load(folder), folder, out)
    else:
        model = model_files.load(options.model)
        corpus = corpora.load(options.corpus, options.data)
        evaluation = evaluate(model, corpus, split="all")
        results.write(evaluation, out)
        results.draw(evaluation, model, corpus, out)
    print(results.summary(evaluation))
    return 0
