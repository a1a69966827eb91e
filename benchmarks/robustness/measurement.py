"""Predictions for every recording of a run's test subset, as it is and changed."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.robustness.changes import BEGINNINGS, CHANGES, UNCHANGED, Change, as_stored
from ser_keras import provenance
from ser_keras.corpora import Corpus, match
from ser_keras.errors import AudioError, ConfigurationError
from ser_keras.evaluation import results
from ser_keras.evaluation.metrics import confusion_matrix, per_class_recall
from ser_keras.evaluation.reproduction import spread
from ser_keras.model import files as model_files
from ser_keras.model.vrnn import VRNN
from ser_keras.recognition.recognizer import Recognizer
from ser_keras.recognition.speaker_adaptation import logits_of
from ser_keras.sound import decoding
from ser_keras.training import run as training

# The answer of the mean logits over all `BEGINNINGS`, which is no change of a recording.
MEAN, MEAN_TITLE = "beginnings", "mean of the four beginnings"


class Predictions(NamedTuple):
    """A model's predictions for the recordings of a test subset that can be used."""

    classes: int
    labels: np.ndarray  # int [N]
    corpora: np.ndarray  # the name of the corpus that each is from, str [N]
    predicted: dict[str, np.ndarray]  # by change, or `MEAN`: the classes predicted, int [N]


def measure(
    folders: Sequence[Path],
    every: int = 1,
    names: Sequence[str] = tuple(CHANGES),
    model: str | None = None,
) -> dict[str, Any]:
    """Measure runs of one preset, each on its own test subset.

    Args:
        folders: of the runs.
        every: take one of so many recordings, in order.
        names: the changes of `CHANGES` to measure, beside the recordings as they are.
        model: weights to measure on these subsets, instead of those of the runs.

    Returns:
        The content of `robustness.json`: for each change accuracies, mean and spread over the runs,
        the share of all recordings whose prediction differs from that without a change, and the
        unweighted accuracy on each corpus.

    Raises:
        ConfigurationError: a folder holds no trained run, or runs are of several presets.
        CorpusError: a run's corpus is not where it was.
    """
    runs = [training.read_run(folder) for folder in folders]
    for folder, run in zip(folders, runs, strict=True):
        if (run.corpus_name, run.preset) != (runs[0].corpus_name, runs[0].preset):
            raise ConfigurationError(
                f"{folder}: expected the corpus and the preset's settings of {folders[0]}, "
                f"found {run.corpus_name} and {run.preset.name} with others"
            )
    changes = {name: CHANGES[name] for name in CHANGES if name in (UNCHANGED, *names)}
    measured = []
    for folder, run in zip(folders, runs, strict=True):
        weights = model_files.load(model or folder)
        # Other weights may have other words for the emotions.
        test = match(results.test_subset(run, folder), weights.classes, "test subset").corpus
        chosen = test.subset(range(0, len(test), every))
        measured.append(_of_model(weights, chosen, changes, str(folder)))
    titles = {name: change.title for name, change in CHANGES.items()} | {MEAN: MEAN_TITLE}
    return {
        "model": model,
        "corpus": runs[0].corpus_name,
        "preset": runs[0].preset.to_dict(),
        "split": runs[0].split,
        "splits": [run.split_index for run in runs],
        "recordings": sum(len(one.labels) for one in measured),
        "changes": {
            name: {"title": titles[name], **_summarize(name, measured)}
            for name in measured[0].predicted
        },
        "versions": provenance.versions(),
        "git": provenance.git_state(),
    }


def _of_model(model: VRNN, test: Corpus, changes: Mapping[str, Change], name: str) -> Predictions:
    recognizer = Recognizer(model)
    labels: list[int] = []
    corpora: list[str] = []
    answers: dict[str, list[np.ndarray]] = {change: [] for change in changes}
    for number, utterance in enumerate(test, start=1):
        if number % 20 == 0 or number == len(test):
            print(f"{name}: recording {number} of {len(test)}", file=sys.stderr, flush=True)
        try:
            channels, rate = decoding.decode(utterance.path, utterance.start, utterance.end)
        except AudioError as error:
            print(f"{name}: skipped {utterance.path}: {error.reason}", file=sys.stderr, flush=True)
            continue
        labels.append(model.classes.index(utterance.emotion))
        corpora.append(utterance.corpus or test.name)
        mono = channels.mean(axis=1)
        for change, made in changes.items():
            answers[change].append(_answer(recognizer, made, mono, rate))
    logits = {change: np.array(answered) for change, answered in answers.items()}
    found = predict(logits)
    return Predictions(len(model.classes), np.array(labels), np.array(corpora), found)


def predict(logits: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the classes of logits [N, C] by change, and of the mean of all beginnings."""
    if all(name in logits for name in BEGINNINGS):
        logits = {**logits, MEAN: np.mean([logits[name] for name in BEGINNINGS], axis=0)}
    return {name: values.argmax(axis=1) for name, values in logits.items()}


def _answer(recognizer: Recognizer, change: Change, samples: np.ndarray, rate: int) -> np.ndarray:
    """Return the logits of a changed recording, up to a constant, [C]."""
    stored = as_stored(*change.apply(samples, rate))
    decoded = decoding.load(stored, recognizer.model.features.sample_rate)
    answer = recognizer.recognize_samples(decoded, attention=False)
    return logits_of(np.array([answer["probabilities"][name] for name in recognizer.model.classes]))


def _summarize(change: str, measured: Sequence[Predictions]) -> dict[str, Any]:
    weighted, unweighted, otherwise = [], [], []
    by_corpus: dict[str, list[float]] = {}
    for one in measured:
        answered = one.predicted[change]
        weighted.append(float(np.mean(answered == one.labels)))
        unweighted.append(_unweighted(one, answered, slice(None)))
        otherwise.extend(answered != one.predicted[UNCHANGED])
        for corpus in np.unique(one.corpora).tolist():
            accuracy = _unweighted(one, answered, one.corpora == corpus)
            by_corpus.setdefault(corpus, []).append(accuracy)
    return {
        "weighted_accuracy": spread(weighted),
        "unweighted_accuracy": spread(unweighted),
        "answered_otherwise": float(np.mean(otherwise)),
        "by_corpus": {corpus: spread(each) for corpus, each in by_corpus.items()},
    }


def _unweighted(one: Predictions, answered: np.ndarray, chosen: np.ndarray | slice) -> float:
    matrix = confusion_matrix(one.labels[chosen], answered[chosen], one.classes)
    return float(np.nanmean(per_class_recall(matrix)))


def markdown(robustness: dict[str, Any]) -> str:
    """Write the table: percent, and points of difference from the recordings as they are."""
    changes = robustness["changes"]
    as_it_is = changes[UNCHANGED]["weighted_accuracy"]["mean"]
    indexes = ", ".join(str(split_index) for split_index in robustness["splits"])
    preset = robustness["model"] or robustness["preset"]["name"]
    corpora = list(changes[UNCHANGED]["by_corpus"])
    corpora = corpora if len(corpora) > 1 else []
    lines = [
        f"{robustness['corpus']}, `{preset}`, {robustness['split']} {indexes}, "
        f"{robustness['recordings']} recordings",
        "",
        "| recordings | WA % | points | UA % | answered otherwise % |"
        + "".join(f" UA %, {corpus} |" for corpus in corpora),
        "| --- | ---: | ---: | ---: | ---: |" + " ---: |" * len(corpora),
    ]
    for row in changes.values():
        weighted = row["weighted_accuracy"]["mean"]
        lines.append(
            f"| {row['title']} | {100 * weighted:.1f} | {100 * (weighted - as_it_is):+.1f} | "
            f"{100 * row['unweighted_accuracy']['mean']:.1f} | "
            f"{100 * row['answered_otherwise']:.1f} |"
            + "".join(f" {100 * row['by_corpus'][corpus]['mean']:.1f} |" for corpus in corpora)
        )
    return "\n".join(lines) + "\n"
