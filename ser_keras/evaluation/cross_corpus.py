"""Accuracy on people, and on whole corpora, that a preset was not trained on."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ser_keras import provenance
from ser_keras.corpora import joining, splits
from ser_keras.errors import ConfigurationError
from ser_keras.evaluation import adapted_speakers, report, results
from ser_keras.evaluation.metrics import ACCURACIES
from ser_keras.evaluation.other_answers import RULES, tabulate
from ser_keras.evaluation.reproduction import spread, train_and_evaluate
from ser_keras.files import finite, output_folder, write_json
from ser_keras.training.run import TrainingRun, classes_of, refuse_another, split_corpus

CROSS_CORPUS_FILE = "cross_corpus.json"


class _Protocol(NamedTuple):
    """A kind of split, and what is tested in words."""

    split: str
    tested: str


PROTOCOLS = {
    "by_speaker": _Protocol("speaker", "other speakers"),
    "leave_one_corpus_out": _Protocol("corpus", "corpus left out"),
}


def cross_corpus(run: TrainingRun, out: Path, adapt_speakers: bool = False) -> dict[str, Any]:
    """Train and evaluate by speaker and without each corpus in turn; resume after a kill.

    Args:
        run: what to train; its corpora are joined, its split and folds are not used.
        out: folder for `cross_corpus.json`, `report.html` and a folder per run.
        adapt_speakers: also measure each speaker known by the others of their utterances, as for
            `evaluate`.

    Returns:
        The content of `cross_corpus.json`: by protocol ("by_speaker", "leave_one_corpus_out") and
        corpus, utterances tested and both accuracies {mean, std, runs} over folds, among all
        classes of the model and, as `among_corpus`, among only those that the corpus has; if asked
        for, also as `adapted_speakers`.

    Raises:
        ConfigurationError: there is one corpus, or the folder holds runs of another configuration.
        CorpusError: a corpus or a split cannot be used, or has no speakers to adapt to.
        OutputError: the folder cannot be written to.

    Example:
        >>> cross_corpus(TrainingRun("tess", "/data/TESS"), Path("out"))
        Traceback (most recent call last):
        ser_keras.errors.ConfigurationError: corpora: expected two or more, found tess
    """
    if not run.joined:
        raise ConfigurationError(f"corpora: expected two or more, found {run.corpus_name}")
    output_folder(out)
    began = time.monotonic()
    runs = _runs(run, out)
    for folder, single in runs.items():
        subsets = split_corpus(single)
        refuse_another(folder, single, subsets)
        if adapt_speakers:
            classes = classes_of(single, subsets["train"])
            adapted_speakers.known(
                [one.speaker for one in subsets["test"] if one.emotion in classes]
            )
    evaluations: dict[str, list[dict[str, Any]]] = {"speaker": [], "corpus": []}
    for number, (folder, single) in enumerate(runs.items(), start=1):
        label = f"run {number} of {len(runs)} ({folder.name})"
        evaluations[single.split].append(
            train_and_evaluate(
                single, folder, label, among_corpus=True, adapt_speakers=adapt_speakers
            )
        )
    found = finite(
        {
            "corpora": joining.distinct([run.corpus, *(name for name, _ in run.joined)]),
            "preset": run.preset.name,
            "parameters": evaluations["speaker"][0]["parameters"],
            **{
                name: _by_corpus(evaluations[protocol.split])
                for name, protocol in PROTOCOLS.items()
            },
            "seconds": time.monotonic() - began,
            "versions": provenance.versions(),
            "git": provenance.git_state(),
        }
    )
    write_json(out / CROSS_CORPUS_FILE, found)
    configuration = {"run": run.to_dict(), "git": found["git"]}
    report.write(out / results.REPORT_FILE, report.cross_corpus_report(found, configuration))
    return found


def _runs(run: TrainingRun, out: Path) -> dict[Path, TrainingRun]:
    """Return every training by its folder."""
    corpus = run.load_corpus()
    run = dataclasses.replace(run, folds=None)
    return {
        out / "runs" / f"{split}-{fold}": dataclasses.replace(run, split=split, fold=fold)
        for split, _ in PROTOCOLS.values()
        for fold in range(splits.folds(corpus, split))
    }


def _by_corpus(evaluations: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Summarize over folds, given the `evaluation.json` of each."""
    found: dict[str, Any] = {}
    for name in dict.fromkeys(name for each in evaluations for name in each["by_corpus"]):
        tested = [each for each in evaluations if name in each["by_corpus"]]
        found[name] = {
            "utterances": sum(each["by_corpus"][name]["utterances"] for each in tested),
            **_accuracies([each["by_corpus"][name] for each in tested]),
            **{
                rule: _accuracies([each[rule]["by_corpus"][name] for each in tested])
                for rule in RULES
                if rule in tested[0]
            },
        }
    return found


def _accuracies(folds: Sequence[dict[str, float]]) -> dict[str, Any]:
    return {name: spread([fold[name] for fold in folds]) for name in ACCURACIES}


def summary(found: dict[str, Any]) -> str:
    """Format a table for the terminal.

    Example:
        >>> accuracy = {"mean": 0.5, "std": 0.0, "runs": [0.5]}
        >>> accuracies = {"weighted_accuracy": accuracy, "unweighted_accuracy": accuracy}
        >>> tested = {"utterances": 9, **accuracies, "among_corpus": accuracies}
        >>> print(summary({"by_speaker": {"tess": tested}, "leave_one_corpus_out": {}}))
        tested on                             WA      UA     WA*     UA*
        tess, other speakers               50.0%   50.0%   50.0%   50.0%
        * among only the classes that the utterance's corpus has
    """
    tested = [
        (f"{name}, {protocol.tested}", accuracies)
        for key, protocol in PROTOCOLS.items()
        for name, accuracies in found[key].items()
    ]
    measured = [rule for rule in RULES if tested and rule in tested[0][1]]
    rows = [
        (name, [_means(each), *(_means(each[rule]) for rule in measured)]) for name, each in tested
    ]
    return "\n".join(tabulate("tested on", rows, measured))


def _means(accuracies: dict[str, Any]) -> dict[str, float]:
    return {name: accuracies[name]["mean"] for name in ACCURACIES}
