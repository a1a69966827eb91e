"""Predictions for every recording of a run's test subset, as it is and changed."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.robustness.changes import BEGINNINGS, CHANGES, Change, as_stored
from ser_keras import provenance
from ser_keras.corpora import Corpus
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
    predicted: dict[str, np.ndarray]  # by change, or `MEAN`: the classes predicted, int [N]


def measure(folders: Sequence[Path], every: int = 1) -> dict[str, Any]:
    """Measure runs of one preset, each on its own test subset, or one of so many of its recordings.

    Returns:
        The content of `robustness.json`: for each change accuracies, mean and spread over the runs,
        and the share of all recordings whose prediction differs from that without a change.

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
    measured = []
    for folder, run in zip(folders, runs, strict=True):
        model = model_files.load(folder)
        test = results.test_subset(run, folder)
        chosen = test.subset(range(0, len(test), every))
        measured.append(_of_model(model, chosen, str(folder)))
    titles = {name: change.title for name, change in CHANGES.items()} | {MEAN: MEAN_TITLE}
    return {
        "corpus": runs[0].corpus_name,
        "preset": runs[0].preset.to_dict(),
        "split": runs[0].split,
        "places": [run.split_index for run in runs],
        "recordings": sum(len(one.labels) for one in measured),
        "changes": {
            name: {"title": title, **_summarize(name, measured)} for name, title in titles.items()
        },
        "versions": provenance.versions(),
        "git": provenance.git_state(),
    }


def _of_model(model: VRNN, test: Corpus, name: str) -> Predictions:
    recognizer = Recognizer(model)
    labels: list[int] = []
    answers: dict[str, list[np.ndarray]] = {change: [] for change in CHANGES}
    for number, utterance in enumerate(test, start=1):
        if number % 20 == 0 or number == len(test):
            print(f"{name}: recording {number} of {len(test)}", file=sys.stderr, flush=True)
        try:
            channels, rate = decoding.decode(utterance.path, utterance.start, utterance.end)
        except AudioError as error:
            print(f"{name}: skipped {utterance.path}: {error.reason}", file=sys.stderr, flush=True)
            continue
        labels.append(model.classes.index(utterance.emotion))
        mono = channels.mean(axis=1)
        for change, made in CHANGES.items():
            answers[change].append(_answer(recognizer, made, mono, rate))
    logits = {change: np.array(answered) for change, answered in answers.items()}
    return Predictions(len(model.classes), np.array(labels), predict(logits))


def predict(logits: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the classes of logits [N, C] by change, and of their mean over all beginnings."""
    mean = np.mean([logits[name] for name in BEGINNINGS], axis=0)
    return {name: values.argmax(axis=1) for name, values in {**logits, MEAN: mean}.items()}


def _answer(recognizer: Recognizer, change: Change, samples: np.ndarray, rate: int) -> np.ndarray:
    """Return the logits of a changed recording, up to a constant, [C]."""
    stored = as_stored(*change.apply(samples, rate))
    decoded = decoding.load(stored, recognizer.model.features.sample_rate)
    answer = recognizer.recognize_samples(decoded, attention=False)
    return logits_of(np.array([answer["probabilities"][name] for name in recognizer.model.classes]))


def _summarize(change: str, measured: Sequence[Predictions]) -> dict[str, Any]:
    weighted, unweighted, otherwise = [], [], []
    for one in measured:
        answered = one.predicted[change]
        matrix = confusion_matrix(one.labels, answered, one.classes)
        weighted.append(float(np.mean(answered == one.labels)))
        unweighted.append(float(np.nanmean(per_class_recall(matrix))))
        otherwise.extend(answered != one.predicted["as-it-is"])
    return {
        "weighted_accuracy": spread(weighted),
        "unweighted_accuracy": spread(unweighted),
        "answered_otherwise": float(np.mean(otherwise)),
    }


def markdown(robustness: dict[str, Any]) -> str:
    """Write the table: percent, and points of difference from the recordings as they are."""
    changes = robustness["changes"]
    as_it_is = changes["as-it-is"]["weighted_accuracy"]["mean"]
    indexes = ", ".join(str(split_index) for split_index in robustness["places"])
    preset = robustness["preset"]["name"]
    lines = [
        f"{robustness['corpus']}, `{preset}`, {robustness['split']} {indexes}, "
        f"{robustness['recordings']} recordings",
        "",
        "| recordings | WA % | points | UA % | answered otherwise % |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for row in changes.values():
        weighted = row["weighted_accuracy"]["mean"]
        lines.append(
            f"| {row['title']} | {100 * weighted:.1f} | {100 * (weighted - as_it_is):+.1f} | "
            f"{100 * row['unweighted_accuracy']['mean']:.1f} | "
            f"{100 * row['answered_otherwise']:.1f} |"
        )
    return "\n".join(lines) + "\n"
