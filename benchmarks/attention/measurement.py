"""Every variation on the test subsets of runs, pooled, with intervals over speakers."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.special

from benchmarks.attention.intervals import Speakers, interval
from benchmarks.attention.outcomes import Answers, Generation, answer, generate, pool
from benchmarks.attention.variations import VARIATIONS
from ser_keras import provenance
from ser_keras.corpora import match
from ser_keras.errors import ConfigurationError
from ser_keras.evaluation import results
from ser_keras.features.extraction import extract_corpus
from ser_keras.model import files
from ser_keras.training.run import read_run

USED = 0.01  # nats per instant, above which a latent variable is in use


def measure(folders: Sequence[Path], names: Sequence[str] = tuple(VARIATIONS)) -> dict[str, Any]:
    """Measure the models of runs, each on its own test subset.

    Args:
        folders: runs of one preset; together their test subsets should have many speakers.
        names: of the variations; "as-it-is" is always measured.

    Returns:
        The content of `attention.json`: for each variation accuracies, cross-entropy and sampled
        fraction after the first instant, and the errors of the prediction, with intervals.

    Raises:
        ConfigurationError: a folder holds no trained run, or runs are of several presets.
    """
    runs = [read_run(folder) for folder in folders]
    for folder, run in zip(folders, runs, strict=True):
        if run.preset != runs[0].preset:
            raise ConfigurationError(
                f"{folder}: expected the preset of {folders[0]}, {runs[0].preset.name}, "
                f"found {run.preset.name} with other settings"
            )
    answers: dict[str, list[Answers]] = {}
    speakers, emotions, generated = [], [], []
    classes: tuple[str, ...] = ()
    for folder, run in zip(folders, runs, strict=True):
        model = files.load(folder)
        classes = model.classes
        test = match(results.test_subset(run, folder), classes, "test subset").corpus
        extraction = extract_corpus(test, model.features, name="test subset")
        speakers += [utterance.speaker for utterance in extraction.corpus]
        emotions.append(extraction.corpus.labels(classes))
        generated.append(generate(model, extraction))
        share = 0.0
        for name in dict.fromkeys(["as-it-is", *names]):
            print(f"{folder}: {name}", file=sys.stderr, flush=True)
            found = answer(model, extraction, name, share)
            if name == "as-it-is":
                share = float(found.sampled.sum() / max(found.elements.sum(), 1))
            answers.setdefault(name, []).append(found)
    people, labels = Speakers(speakers), np.concatenate(emotions)
    pooled = {
        name: Answers(*map(np.concatenate, zip(*found, strict=True)))
        for name, found in answers.items()
    }
    return {
        "corpus": runs[0].corpus_name,
        "preset": runs[0].preset.to_dict(),
        "split": runs[0].split,
        "split_indexes": [run.split_index for run in runs],
        "utterances": len(labels),
        "speakers": len(people.names),
        "variations": _accuracies(pooled, labels, len(classes), people),
        "generation": _errors(pool(generated), labels, classes, people),
        "versions": provenance.versions(),
        "git": provenance.git_state(),
    }


def _accuracies(
    answers: Mapping[str, Answers], labels: np.ndarray, classes: int, people: Speakers
) -> dict[str, Any]:
    rows: dict[str, Any] = {}
    ones = np.ones(len(labels))
    own = people.ratio(answers["as-it-is"].logits.argmax(axis=1) == labels, ones)
    for name, found in answers.items():
        correct = (found.logits.argmax(axis=1) == labels).astype(float)
        weighted = people.ratio(correct, ones)
        recalls = [
            people.ratio(correct * (labels == label), (labels == label).astype(float))
            for label in range(classes)
            if (labels == label).any()
        ]
        probabilities = scipy.special.log_softmax(found.logits, axis=1)
        entropy = -probabilities[np.arange(len(labels)), labels]
        rows[name] = {
            "title": VARIATIONS[name].title,
            "weighted_accuracy": interval(weighted),
            "unweighted_accuracy": interval(np.nanmean(recalls, axis=0)),
            "cross_entropy": interval(people.ratio(entropy, ones)),
            "sampled_fraction": interval(people.ratio(found.sampled, found.elements)),
            "gain_over_as_it_is": interval(weighted - own),
        }
    return rows


def _errors(
    found: Generation, labels: np.ndarray, classes: Sequence[str], people: Speakers
) -> dict[str, Any]:
    rows: dict[str, Any] = {}
    for part, count in found.elements.items():
        if not count.sum():
            continue
        ours, mean, copy = (
            people.ratio(errors[part], count)
            for errors in (found.prediction, found.mean, found.copy)
        )
        rows[part] = {
            "r_squared": interval(1 - ours / mean),
            "error": {"ours": interval(ours), "mean": interval(mean), "copy": interval(copy)},
            "gain_over_mean": interval(mean - ours),
            "gain_over_copy": interval(copy - ours),
        }
    by_emotion = {}
    for label, emotion in enumerate(classes):
        of_emotion = labels == label
        if of_emotion.any():
            errors = found.prediction["all"] * of_emotion, found.mean["all"] * of_emotion
            by_emotion[emotion] = interval(1 - people.ratio(*errors))
    kl = found.kl.sum(axis=0) / found.instants.sum()  # [Z], nats per instant
    return {
        "parts": rows,
        "r_squared_by_emotion": by_emotion,
        "kl_per_instant": float(kl.sum()),
        "latent_variables": len(kl),
        "latent_variables_in_use": int((kl > USED).sum()),
    }
