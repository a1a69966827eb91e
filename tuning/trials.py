"""Trials as rows: `trials.csv`, `best.json` and TensorBoard's HParams."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorboard.plugins.hparams import api as hparams

from ser_keras.files import write_json, write_text
from ser_keras.tuning.cross_validation import OBJECTIVES
from ser_keras.tuning.search import Search, number

TRIALS_FILE = "trials.csv"
BEST_FILE = "best.json"
TENSORBOARD = "tensorboard"
STOPPED = "stopped after fold 1"


def rows(search: Search, trials: Iterable[Any]) -> list[dict[str, Any]]:
    """KerasTuner's trials in the order they began, a flat dictionary each.

    Keys: `trial` (from 1), `status`, a key per setting of the space, both accuracies (means over
    folds, 0..1; of a stopped trial estimates), each with `_std` over folds and `_fold_N`, `epochs`
    (where the mean was best), `epochs_trained` (of all folds together) and `seconds`. None where
    there is no such value.
    """
    return [_row(search, trial) for trial in sorted(trials, key=number)]


def _row(search: Search, trial: Any) -> dict[str, Any]:
    values = trial.hyperparameters.values
    found = {name: trial.metrics.get_last_value(name) for name in trial.metrics.metrics}
    stopped = trial.status == "COMPLETED" and bool(found.get("stopped_early"))
    row: dict[str, Any] = {
        "trial": number(trial),
        "status": STOPPED if stopped else trial.status.lower(),
        **{
            parameter.name: parameter.exact(values[parameter.name])
            for parameter in search.space.parameters
        },
    }
    if "tuner/epochs" in values:
        row["epochs_allowed"] = int(values["tuner/epochs"])
    folds = range(1, search.protocol.folds + 1)
    for name in OBJECTIVES:
        by_fold = [found.get(f"{name}_fold_{fold}") for fold in folds]
        row[name] = found.get(name)
        complete = None not in by_fold
        row[f"{name}_std"] = float(np.std(by_fold, ddof=1)) if complete else None  # type: ignore[arg-type]
        row |= {f"{name}_fold_{fold}": value for fold, value in zip(folds, by_fold, strict=True)}
    for name in ("epochs", "epochs_trained"):
        row[name] = None if found.get(name) is None else int(found[name])
    row["seconds"] = found.get("seconds")
    return row


def best(search: Search, found: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The row with the best objective among those that ran all folds; None if there is none."""
    whole = [row for row in found if row["status"] == "completed"]
    return max(whole, key=lambda row: row[search.protocol.objective], default=None)


def write(search: Search, found: Sequence[Mapping[str, Any]], out: Path) -> None:
    """Write `trials.csv` and, once there is one, `best.json`.

    Raises:
        OutputError: they cannot be written.
    """
    if not found:
        return
    text = io.StringIO()
    writer = csv.DictWriter(text, list(found[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(found)
    write_text(out / TRIALS_FILE, text.getvalue())
    chosen = best(search, found)
    if chosen is not None:
        write_json(out / BEST_FILE, best_preset(search, chosen).to_dict())


def best_preset(search: Search, row: Mapping[str, Any]) -> Any:
    """The preset of a trial, trained for the epochs that were best."""
    base = search.run.preset
    preset = search.space.apply(base, row).with_settings({"epochs": row["epochs"]})
    return dataclasses.replace(preset, name=f"{base.name}-tuned")


def write_hparams(search: Search, row: Mapping[str, Any], out: Path) -> None:
    """Write one ended trial for TensorBoard's HParams, in a folder of its own."""
    folder = out / TENSORBOARD / f"trial-{row['trial']:04d}"
    if folder.exists() or row[search.protocol.objective] is None:
        return
    settings = {parameter.name: row[parameter.name] for parameter in search.space.parameters}
    with tf.summary.create_file_writer(str(folder)).as_default():
        hparams.hparams(settings, trial_id=f"trial-{row['trial']:04d}")
        for name in (*OBJECTIVES, "seconds"):
            tf.summary.scalar(name, row[name], step=row["epochs"])
