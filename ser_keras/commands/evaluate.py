"""`ser-keras evaluate`: how good a trained model is."""

from __future__ import annotations

import argparse
from pathlib import Path

from ser_keras.commands import corpus_options
from ser_keras.commands import options as shared
from ser_keras.errors import ConfigurationError
from ser_keras.files import output_folder

HELP = "evaluate a run on its own test subset, or on another corpus"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "model",
        metavar="RUN",
        help="the folder that `train` left; with --corpus also a .keras file, or a preset that "
        "comes with weights",
    )
    parser.add_argument(
        "--corpus",
        action=corpus_options.CorpusAction,
        metavar="NAME",
        help="evaluate on all of this corpus instead; its emotions become the model's classes by "
        "name or synonym, and utterances of other emotions are left out and counted; repeated, "
        "each with its --data after it, to join several",
    )
    shared.add(parser, "data")
    parser.add_argument(
        "--among-corpus",
        action="store_true",
        help="also answer among only the classes of which the corpus has utterances, and report "
        "that beside the answers among all classes",
    )
    shared.add(parser, "adapt-speakers")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for results (default: RUN)")


def run(options: argparse.Namespace) -> int:
    """Evaluate, and print a table."""
    if options.data and not options.corpus:
        raise ConfigurationError("--data: expected --corpus beside it, found none")
    folder = Path(options.model)
    if not (folder.is_dir() or (options.corpus and options.out)):
        raise ConfigurationError(
            f"{options.model}: expected the folder of a run, or --corpus and --out for another "
            "model; found no folder"
        )
    shared.start_tensorflow()
    from ser_keras import corpora
    from ser_keras.evaluation import results
    from ser_keras.evaluation.evaluate import evaluate
    from ser_keras.model import files as model_files

    others = {name: getattr(options, name) for name in ("among_corpus", "adapt_speakers")}
    if options.corpus is None:
        model = model_files.load(folder)
        out = output_folder(options.out or folder)
        evaluation = results.evaluate_run(model, folder, out, **others)
    else:
        model = model_files.load(options.model)
        pairs = corpus_options.pairs(options)
        # Matching to the model's classes merges a manifest's synonyms in any case.
        has_manifest = any(name == "manifest" for name, _ in pairs)
        corpus = corpora.load_joined(pairs, merge_synonyms=has_manifest)
        evaluation = evaluate(model, corpus, split="all", **others)
        # Not before: a corpus of which no emotion is known leaves no folder behind.
        out = output_folder(options.out or folder)
        results.write(evaluation, out)
        results.draw(evaluation, model, corpus, out)
    print(results.summary(evaluation))
    return 0
