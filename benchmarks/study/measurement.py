"""Training and evaluation of variations on every split asked for, resumed after a kill."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras

from benchmarks.study.variations import AS_IT_IS, VARIATIONS
from ser_keras import provenance
from ser_keras.errors import ConfigurationError
from ser_keras.evaluation import results
from ser_keras.evaluation.reproduction import spread, summarize
from ser_keras.files import write_json
from ser_keras.training import run as training
from ser_keras.training.run import TrainingRun
from ser_keras.training.train import train

SECONDS_FILE = "seconds.json"


def measure(
    run: TrainingRun, split_indexes: Sequence[int], names: Sequence[str], out: Path
) -> None:
    """Train and evaluate the runs that are not in `out` yet.

    A variation that changes nothing about the preset is not trained again. Several processes may
    share `out`, each with other names or splits.

    Args:
        run: corpus, preset, kind of split; its seed and fold are replaced.
        split_indexes: seeds of a random split, or folds of another.
        names: names of the variations.
        out: folder for the runs, OUT/<kind of split>-<split_index>/<variation>.

    Raises:
        ConfigurationError: a folder holds another run.
        CorpusError: the corpus or a split cannot be used.
        OutputError: the folder cannot be written to.
    """
    for split_index in split_indexes:
        for name in names:
            preset = VARIATIONS[name].of(run.preset)
            if preset == run.preset and name != AS_IT_IS:
                print(f"{name}: {preset.name} is so already", file=sys.stderr, flush=True)
                continue
            single = dataclasses.replace(
                run.on_split(split_index), preset=preset, validation_fraction=0.0
            )
            folder = out / f"{run.split}-{split_index}" / name
            training.refuse_another(folder, single)
            if not (folder / results.EVALUATION_FILE).exists():
                _train_and_evaluate(single, folder, f"{run.split} {split_index}, {name}")
            accuracy = results.read(folder)["weighted_accuracy"]
            print(f"{folder}: weighted accuracy {accuracy:.1%}", file=sys.stderr, flush=True)


def _train_and_evaluate(run: TrainingRun, folder: Path, label: str) -> None:
    begun = folder.exists()
    start = time.monotonic()
    model = train(run, folder, label)
    # After a kill, this call saw only the rest of the training.
    if not begun:
        write_json(folder / SECONDS_FILE, {"training": time.monotonic() - start})
    results.evaluate_run(model, folder, folder, figures=False)
    keras.backend.clear_session()


def collect(out: Path) -> dict[str, Any]:
    """Collect the results of the runs below `out`: the content of `study.json`.

    Raises:
        ConfigurationError: a folder is not of a run, or runs of a variation differ in their preset.
    """
    found: dict[str, dict[str, list[Path]]] = {}
    for name, split, folder in _evaluated(out):
        found.setdefault(name, {}).setdefault(split, []).append(folder)
    return {
        "variations": {
            name: {
                "title": VARIATIONS[name].title,
                **{split: _summarize(folders) for split, folders in found[name].items()},
            }
            for name in VARIATIONS
            if name in found
        },
        "versions": provenance.versions(),
        "git": provenance.git_state(),
    }


def _evaluated(out: Path) -> Iterator[tuple[str, str, Path]]:
    """Yield variation, kind of split and folder of every finished run, by split index."""
    folders = [path.parent for path in out.glob(f"*-*/*/{results.EVALUATION_FILE}")]
    for folder in sorted(folders, key=lambda folder: int(folder.parent.name.split("-")[1])):
        if folder.name in VARIATIONS:
            yield folder.name, folder.parent.name.split("-")[0], folder


def _summarize(folders: Sequence[Path]) -> dict[str, Any]:
    evaluations = [results.read(folder) for folder in folders]
    runs = [training.read_run(folder) for folder in folders]
    for run, folder in zip(runs, folders, strict=True):
        if run.preset != runs[0].preset:
            raise ConfigurationError(
                f"{folder}: expected the preset of {folders[0]}, found another"
            )
    seconds = [
        json.loads(path.read_text(encoding="utf-8"))["training"]
        for path in (folder / SECONDS_FILE for folder in folders)
        if path.exists()
    ]
    return {
        "corpus": runs[0].corpus,
        "preset": runs[0].preset.to_dict(),
        "places": [run.split_index for run in runs],
        **summarize(evaluations),
        "expected_calibration_error": spread(
            [evaluation["expected_calibration_error"] for evaluation in evaluations]
        ),
        "seconds": spread(seconds) if seconds else None,
    }
