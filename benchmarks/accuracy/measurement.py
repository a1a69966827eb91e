"""Measurement of every baseline on every split, resumed after a kill and summarised over splits."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy.baseline import Answer, Baseline, Task
from benchmarks.accuracy.splits import NamedSplit, digest
from ser_keras import provenance
from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import CorpusError
from ser_keras.evaluation.metrics import ACCURACIES, accuracies, confusion_matrix, per_class_recall
from ser_keras.evaluation.reproduction import spread
from ser_keras.features.extraction import Extraction, extract_corpus
from ser_keras.features.spec import FeatureSpec
from ser_keras.files import output_folder, write_json

# Packages that change a baseline's numbers and not the VRNN's.
PACKAGES = ("opensmile", "scikit-learn")

PAPER = FeatureSpec()
# With silence behind it, an utterance of a fifth of a second fills a window too: models of another
# window than the paper's, on whose splits baselines are measured, use them all.
WHOLE = dataclasses.replace(PAPER, trailing_silence=0.9 * PAPER.window)


def measure(
    corpus: Corpus,
    series: Sequence[NamedSplit],
    baselines: dict[str, Baseline],
    out: Path,
    spec: FeatureSpec = PAPER,
) -> dict[str, Any]:
    """Train and test baselines on splits.

    Utterances shorter than the VRNN's window, which it cannot use, are left out for all.

    Args:
        corpus: the whole corpus.
        series: its splits, all of one kind.
        baselines: the baselines, by name.
        out: folder; splits that are finished there are not measured again.
        spec: the VRNN's observations, which some baselines take too.

    Returns:
        The content of `accuracy.json`.

    Raises:
        ConfigurationError: a package is missing.
        CorpusError: no utterance of a subset can be used.
        OutputError: the folder cannot be written to.
    """
    runs = output_folder(output_folder(out) / "runs")
    extraction = extract_corpus(corpus, spec, name=corpus.name)
    table = {}
    for name, baseline in baselines.items():
        inputs = _once(baseline, extraction)
        found = []
        for split in series:
            path = runs / f"{name}-{split.name}.json"
            identity = _identity(name, baseline, split, spec)
            result = _read(path, identity)
            if result is None:
                result = _run(baseline, inputs, extraction, split)
                write_json(path, {"identity": identity, "result": result})
                told = f"{name}, {split.name}: weighted accuracy {result['weighted_accuracy']:.1%}"
                print(told, file=sys.stderr, flush=True)
            found.append(result)
        table[name] = _summarize(baseline, found)
    return {
        "corpus": corpus.name,
        "protocol": _protocol(series),
        "utterances": len(extraction.corpus),
        "skipped_short": len(extraction.skipped_short),
        "failed": len(extraction.failed),
        "baselines": table,
        "versions": _versions(),
        "git": provenance.git_state(),
    }


def _once(baseline: Baseline, extraction: Extraction) -> Callable[[], np.ndarray]:
    """Defer the baseline's inputs until first needed: never, if all splits are finished."""
    return cache(lambda: baseline.inputs(extraction))


def _identity(
    name: str, baseline: Baseline, split: NamedSplit, spec: FeatureSpec
) -> dict[str, Any]:
    """Return all that a result follows from."""
    return {
        "baseline": name,
        "settings": baseline.settings,
        "seed": split.seed,
        "features": spec.to_dict(),
        "train": digest(split.train),
        "test": digest(split.test),
    }


def _run(
    baseline: Baseline,
    inputs: Callable[[], np.ndarray],
    extraction: Extraction,
    split: NamedSplit,
) -> dict[str, Any]:
    """Measure a baseline on one split."""
    train, test = _indexes(extraction, split.train), _indexes(extraction, split.test)
    if not (len(train) and len(test)):
        raise CorpusError(
            f"{split.name}: expected utterances that can be used in both subsets, found none"
        )
    labels = extraction.corpus.labels()
    speakers = np.array([utterance.speaker for utterance in extraction.corpus])
    everything = inputs()
    began = time.monotonic()
    answer = baseline.classify(
        Task(
            inputs=everything[train],
            labels=labels[train],
            speakers=speakers[train],
            test_inputs=everything[test],
            classes=len(extraction.corpus.emotions),
            unseen_speakers=split.kind in ("speaker", "corpus"),
            seed=split.seed,
        )
    )
    seconds = time.monotonic() - began
    tested = extraction.corpus.subset(test.tolist())
    score = _score(answer, labels[test], tested.emotions, tested.by_source())
    return {**score, "seconds": seconds}


def _read(path: Path, identity: dict[str, Any]) -> dict[str, Any] | None:
    """Read a finished result; None if there is none, or one of another configuration."""
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        return held["result"] if held["identity"] == identity else None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _indexes(extraction: Extraction, subset: Corpus) -> np.ndarray:
    """Return the indexes in the extraction of a subset's usable utterances."""
    members = set(subset)
    return np.flatnonzero([utterance in members for utterance in extraction.corpus])


def _protocol(series: Sequence[NamedSplit]) -> dict[str, Any]:
    kind, names = series[0].kind, [split.name for split in series]
    if not all(name.startswith(("seed-", "fold-")) for name in names):
        return {"split": kind, "runs": names}
    return {"split": kind, "seeds" if kind == "random" else "folds": len(series)}


def _score(
    answer: Answer,
    labels: np.ndarray,
    emotions: Sequence[str],
    sources: Mapping[str, Sequence[int]],
) -> dict[str, Any]:
    matrix = confusion_matrix(labels, answer.predicted, len(emotions))
    recall = per_class_recall(matrix)
    return {
        "n_test": len(labels),
        "weighted_accuracy": float(np.trace(matrix) / len(labels)),
        "unweighted_accuracy": float(np.nanmean(recall)),
        "by_corpus": {
            name: dict(
                zip(
                    ACCURACIES,
                    accuracies(
                        confusion_matrix(labels[indexes], answer.predicted[indexes], len(emotions))
                    ),
                    strict=True,
                )
            )
            for name, indexes in sources.items()
        },
        "recall": dict(zip(emotions, recall.tolist(), strict=True)),
        "confusion_matrix": matrix.tolist(),
        "parameters": answer.parameters,
        "chosen": answer.chosen,
    }


def _summarize(baseline: Baseline, found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "title": baseline.title,
        "settings": baseline.settings,
        "weighted_accuracy": spread([result["weighted_accuracy"] for result in found]),
        "unweighted_accuracy": spread([result["unweighted_accuracy"] for result in found]),
        "by_corpus": [result["by_corpus"] for result in found],
        "parameters": found[0]["parameters"],
        "chosen": [result["chosen"] for result in found],
        "confusion_matrix": np.sum([result["confusion_matrix"] for result in found], 0).tolist(),
        "seconds": sum(result["seconds"] for result in found),
    }


def _versions() -> dict[str, str]:
    found = provenance.versions()
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
