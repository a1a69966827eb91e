"""Every baseline on every split: resumes after a kill, and sums up over the splits."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy.baseline import Answer, Baseline, Task
from benchmarks.accuracy.places import Place, digest, places
from ser_keras import provenance
from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import CorpusError
from ser_keras.evaluation.metrics import confusion_matrix, per_class_recall
from ser_keras.evaluation.reproduction import spread
from ser_keras.features.extraction import Extraction, extract_corpus
from ser_keras.features.spec import FeatureSpec
from ser_keras.files import output_folder, write_json

# What changes a baseline's numbers beside what changes the VRNN's.
PACKAGES = ("opensmile", "scikit-learn")


def measure(
    corpus: Corpus, split: str, seeds: int, baselines: dict[str, Baseline], out: Path
) -> dict[str, Any]:
    """Train and test baselines on all splits.

    Utterances that the VRNN cannot use, being shorter than its window, are left out for all.

    Args:
        corpus: the whole of it.
        split: a kind that `ser_keras.corpora.splits` knows.
        seeds: how many random splits, from seed 0; folds are always all of the corpus'.
        baselines: by name.
        out: finished splits are kept below it and not done again.

    Returns:
        What `accuracy.json` holds.

    Raises:
        ConfigurationError: an option is out of its range, or a package is missing.
        CorpusError: the corpus does not hold what the kind of split needs.
        OutputError: the folder cannot be written to.
    """
    runs = output_folder(output_folder(out) / "runs")
    extraction = extract_corpus(corpus, FeatureSpec(), name=corpus.name)
    all_places = list(places(corpus, split, seeds))
    table = {}
    for name, baseline in baselines.items():
        inputs = _once(baseline, extraction)
        found = []
        for place in all_places:
            path = runs / f"{name}-{place.name}.json"
            found.append(_run(name, baseline, inputs, extraction, split, place, path))
        table[name] = _summarize(baseline, found)
    return {
        "corpus": corpus.name,
        "protocol": {"split": split, "seeds" if split == "random" else "folds": len(all_places)},
        "utterances": len(extraction.corpus),
        "skipped_short": len(extraction.skipped_short),
        "failed": len(extraction.failed),
        "baselines": table,
        "versions": _versions(),
        "git": provenance.git_state(),
    }


def _once(baseline: Baseline, extraction: Extraction) -> Callable[[], np.ndarray]:
    """The baseline's inputs, computed when first needed: never, where all splits are finished."""
    return cache(lambda: baseline.inputs(extraction))


def _run(
    name: str,
    baseline: Baseline,
    inputs: Callable[[], np.ndarray],
    extraction: Extraction,
    split: str,
    place: Place,
    path: Path,
) -> dict[str, Any]:
    """Result of one baseline on one split: what `path` holds, if of this very configuration."""
    identity = {
        "baseline": name,
        "settings": baseline.settings,
        "seed": place.seed,
        "train": digest(place.train),
        "test": digest(place.test),
    }
    if finished := _read(path, identity):
        return finished
    train, test = _indexes(extraction, place.train), _indexes(extraction, place.test)
    if not (len(train) and len(test)):
        raise CorpusError(f"{place.name}: found a part without any utterance that can be used")
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
            unheard_speakers=split == "speaker",
            seed=place.seed,
        )
    )
    seconds = time.monotonic() - began
    result = {**_score(answer, labels[test], extraction.corpus.emotions), "seconds": seconds}
    write_json(path, {"identity": identity, "result": result})
    accuracy = result["weighted_accuracy"]
    print(f"{name}, {place.name}: weighted accuracy {accuracy:.1%}", file=sys.stderr, flush=True)
    return result


def _read(path: Path, identity: dict[str, Any]) -> dict[str, Any] | None:
    """A finished result; None where there is none, or one of another configuration."""
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        return held["result"] if held["identity"] == identity else None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _indexes(extraction: Extraction, part: Corpus) -> np.ndarray:
    """Where in the extraction the usable utterances of a part are."""
    members = set(part)
    return np.flatnonzero([utterance in members for utterance in extraction.corpus])


def _score(answer: Answer, labels: np.ndarray, emotions: Sequence[str]) -> dict[str, Any]:
    matrix = confusion_matrix(labels, answer.predicted, len(emotions))
    recall = per_class_recall(matrix)
    return {
        "n_test": len(labels),
        "weighted_accuracy": float(np.trace(matrix) / len(labels)),
        "unweighted_accuracy": float(np.nanmean(recall)),
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
