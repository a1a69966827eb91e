"""All versions of every recording of a run's test subset, resumed after a kill, and their means."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.attention.intervals import Speakers, interval
from benchmarks.explanation.curves import ORDERS, SHARES, UNITS, VERSIONS, WAYS, Version, answers
from ser_keras import provenance
from ser_keras.corpora import match
from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import AudioError, ConfigurationError
from ser_keras.evaluation import results
from ser_keras.fields import require
from ser_keras.model import files
from ser_keras.recognition.replay import Replay
from ser_keras.sound import decoding
from ser_keras.training.run import read_run

RECORDINGS = "recordings.jsonl"  # what a killed measurement has found so far


def measure(folder: Path, every: int, out: Path) -> dict[str, Any]:
    """Measure the model of a run on every so-manieth recording of its test subset.

    Args:
        folder: of the run.
        every: 1 takes all recordings.
        out: where recordings that are done are kept.

    Returns:
        The content of `explanation.json`: for each way, unit and order the curve of the answer's
        probability and of the accuracy over shares, with intervals over speakers.

    Raises:
        ConfigurationError: no trained run, or `out` holds the recordings of another measurement.
    """
    require(every >= 1, "every", every, "at least 1")
    run, model = read_run(folder), files.load(folder)
    test = match(results.test_subset(run, folder), model.classes, "test subset").corpus
    chosen = test[::every]
    found = list(_found(Replay(model), chosen, out / RECORDINGS, {"model": _digest(folder)}))
    done = [(utterance, each) for utterance, each in zip(chosen, found, strict=True) if each]
    if not done:
        raise ConfigurationError(f"{folder}: expected test recordings, found none that can be used")
    probabilities = np.array([each for _, each in done])  # [N, VERSIONS, C]
    labels = np.array([model.classes.index(utterance.emotion) for utterance, _ in done])
    people = Speakers([utterance.speaker for utterance, _ in done])
    return {
        "corpus": run.corpus_name,
        "preset": run.preset.to_dict(),
        "every": every,
        "recordings": len(done),
        "left_out": len(chosen) - len(done),
        "speakers": len(people.names),
        "curves": _curves(probabilities, labels, people),
        "versions": provenance.versions(),
        "git": provenance.git_state(),
    }


def _digest(folder: Path) -> str:
    return hashlib.sha256((folder / "model.keras").read_bytes()).hexdigest()


def _found(
    replay: Replay, corpus: Corpus, file: Path, settings: dict[str, Any]
) -> Iterator[list[Any] | None]:
    """Yield the answers to every recording [VERSIONS, C], None of one that cannot be used."""
    known = _known(file, settings)
    for index, utterance in enumerate(corpus):
        key = f"{utterance.path} {utterance.start} {utterance.end}"
        if key not in known:
            known[key] = _answer(replay, utterance, index)
            with file.open("a", encoding="utf-8") as appended:
                appended.write(json.dumps({"recording": key, "answers": known[key]}) + "\n")
            print(f"{index + 1} of {len(corpus)}", file=sys.stderr, flush=True)
        yield known[key]


def _known(file: Path, settings: dict[str, Any]) -> dict[str, list[Any] | None]:
    settings = json.loads(json.dumps(settings))  # lists for tuples, as in the file
    if not file.exists():
        file.write_text(json.dumps(settings) + "\n", encoding="utf-8")
        return {}
    lines = file.read_text(encoding="utf-8").split("\n")
    if json.loads(lines[0]) != settings:
        raise ConfigurationError(f"{file}: expected recordings of this model, found another's")
    # A kill leaves a line without its end: it is measured again, on a line of its own.
    if lines[-1]:
        file.write_text("\n".join([*lines[:-1], ""]), encoding="utf-8")
    rows = [json.loads(line) for line in lines[1:-1]]
    return {row["recording"]: row["answers"] for row in rows}


def _answer(replay: Replay, utterance: Any, seed: int) -> list[Any] | None:
    rate = replay.model.features.sample_rate
    try:
        samples = decoding.load(utterance.path, rate, utterance.start, utterance.end)
    except AudioError as error:
        print(f"left out: {error}", file=sys.stderr)
        return None
    rounded: list[Any] = answers(replay, samples, seed).astype(float).round(6).tolist()
    return rounded


def _curves(probabilities: np.ndarray, labels: np.ndarray, people: Speakers) -> dict[str, Any]:
    """Return points by way, unit and order, from [N, VERSIONS, C]."""
    number = {version: index for index, version in enumerate(VERSIONS)}
    own = probabilities[:, number[Version("deletion", "cells", "random", 0.0)]]  # as it is
    answered = own.argmax(axis=1)
    rows, ones = np.arange(len(labels)), np.ones(len(labels))

    def point(version: Version) -> dict[str, Any]:
        changed = probabilities[:, number[version]]
        change = changed[rows, answered] - own[rows, answered]
        random = probabilities[:, number[version._replace(order="random")]]
        beyond = change - (random[rows, answered] - own[rows, answered])
        measured = {
            "probability": changed[rows, answered],
            "change": change,
            "absolute_change": np.abs(change),
            "change_beyond_random": beyond,
            "same_answer": changed.argmax(axis=1) == answered,
            "accuracy": changed.argmax(axis=1) == labels,
        }
        means = {
            name: interval(people.ratio(values.astype(float), ones))
            for name, values in measured.items()
        }
        return {"share": version.share, **means}

    return {
        way: {
            unit: {
                order: [point(Version(way, unit, order, share)) for share in SHARES]
                for order in ORDERS
            }
            for unit in UNITS
        }
        for way in WAYS
    }
