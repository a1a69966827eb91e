"""Recordings of a new corpus that it takes to make a trained model one's own.

    python -m benchmarks.adaptation --corpus nemo --data DIR --model tiny --fold 0 --out OUT

leaves the speakers of a fold out, draws 0, 5, 10, 20 and 50 recordings of each emotion from the
others, trains from the model (`ser-keras train --from`) and from nothing with the same preset at
its own learning rate, and tests both on the speakers left out. 0 recordings are the model as it
is, among the corpus' emotions. A killed call goes on where it was. Left in OUT: a run for every
number and beginning, `adaptation.json` and `adaptation.md`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from benchmarks.outcome import leave
from ser_keras import provenance
from ser_keras.commands import corpus_options
from ser_keras.commands import options as shared
from ser_keras.corpora import splits
from ser_keras.corpora.utterance import Corpus
from ser_keras.evaluation import results
from ser_keras.evaluation.evaluate import evaluate
from ser_keras.files import write_csv
from ser_keras.model import files as model_files
from ser_keras.model.pretrained import take_weights
from ser_keras.model.vrnn import VRNN
from ser_keras.training import fine_tuning
from ser_keras.training.run import TrainingRun
from ser_keras.training.train import train

BEGINNINGS = ("the model", "nothing")


def draw(training: Corpus, count: int, seed: int) -> Corpus:
    """Draw so many recordings of each emotion; a larger number has those of a smaller."""
    order = np.random.default_rng(seed).permutation(len(training)).tolist()
    emotions = [utterance.emotion for utterance in training]
    chosen = [
        index
        for emotion in training.emotions
        for index in [each for each in order if emotions[each] == emotion][:count]
    ]
    return training.subset(sorted(chosen))


def measure(
    corpus: Corpus, model: str, fold: int, counts: Sequence[int], out: Path, seed: int = 0
) -> dict[str, Any]:
    """Train and test what is not in `out` yet; return the content of `adaptation.json`."""
    training, test = splits.by_speaker(corpus, fold)
    rows = []
    for count in counts:
        if not count:
            evaluation = evaluate(_as_it_is(model, corpus), test).to_dict()
            rows.append(_row(count, BEGINNINGS[0], evaluation))
            continue
        manifest = out / f"{count}.csv"
        subsets = {"train": draw(training, count, seed), "test": test}
        write_csv(
            manifest,
            [
                {"path": str(Path(one.path).absolute()), "emotion": one.emotion, "split": name}
                for name, subset in subsets.items()
                for one in subset
            ],
        )
        for beginning in BEGINNINGS:
            run = _run(manifest, model, beginning, seed)
            folder = out / f"{count}-from-{beginning.replace(' ', '-')}"
            trained = train(run, folder, f"{count} an emotion, from {beginning}")
            if not (folder / results.EVALUATION_FILE).exists():
                results.evaluate_run(trained, folder, folder, figures=False)
            rows.append(_row(count, beginning, results.read(folder)))
            keras.backend.clear_session()
    return {
        "corpus": corpus.name,
        "model": model,
        "fold": fold,
        "test_utterances": len(test),
        "rows": rows,
        "versions": provenance.versions(),
        "git": provenance.git_state(),
    }


def _as_it_is(model: str, corpus: Corpus) -> VRNN:
    trained = model_files.load(model)
    limited = VRNN(corpus.emotions, trained.preset)
    take_weights(limited, trained)
    return limited


def _run(manifest: Path, model: str, beginning: str, seed: int) -> TrainingRun:
    shared_fields: dict[str, Any] = {
        "corpus": "manifest",
        "data": str(manifest),
        "split": "predefined",
        "validation_fraction": 0.0,
        "seed": seed,
    }
    if beginning == BEGINNINGS[0]:
        preset = fine_tuning.preset_for(model, {})
        return TrainingRun(**shared_fields, preset=preset, pretrained=model)
    return TrainingRun(**shared_fields, preset=model_files.load(model).preset)


def _row(count: int, beginning: str, evaluation: dict[str, Any]) -> dict[str, Any]:
    accuracies = ("weighted_accuracy", "unweighted_accuracy")
    return {"count": count, "from": beginning, **{key: evaluation[key] for key in accuracies}}


def markdown(found: dict[str, Any]) -> str:
    """Format the content of `adaptation.json` as a table."""
    lines = [
        f"{found['corpus']}, fold {found['fold']} by speaker, {found['test_utterances']} "
        f"recordings of speakers left out; `{found['model']}`",
        "",
        "| recordings of each emotion | from | WA % | UA % |",
        "| ---: | --- | ---: | ---: |",
    ]
    lines += [
        f"| {row['count']} | {row['from']} | {100 * row['weighted_accuracy']:.1f} "
        f"| {100 * row['unweighted_accuracy']:.1f} |"
        for row in found["rows"]
    ]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.adaptation", description=__doc__)
    shared.add(parser, *shared.CORPUS, "model", "fold", "seed", "out")
    parser.add_argument("--counts", default="0,5,10,20,50", metavar="N,N,…")
    options = parser.parse_args(arguments)
    counts = [int(count) for count in options.counts.split(",")]

    def measure_all(out: Path) -> dict[str, Any]:
        corpus = corpus_options.load(options)
        return measure(corpus, options.model, options.fold, counts, out, options.seed)

    return leave("adaptation", options.out, measure_all, markdown)


if __name__ == "__main__":
    sys.exit(main())
