"""Trials as rows of a table, and the files made of them: `trials.csv`, `best.json`, HParams."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from keras_tuner.engine.trial import Trial
from tensorboard.plugins.hparams import api as hparams

from ser_keras.files import write_csv, write_json
from ser_keras.model.settings import Preset
from ser_keras.tuning.cross_validation import OBJECTIVES
from ser_keras.tuning.search import Search

TRIALS_FILE = "trials.csv"
BEST_FILE = "best.json"
PRUNED = "stopped after fold 1"


class TrialTable:
    """The trials of a search as rows.

    Attributes:
        rows: a flat dictionary per trial, in the order in which they began. Keys: `trial` (from 1),
            `status`, a key per setting of the space, both accuracies (means over folds, 0..1;
            estimates for a pruned trial), each with `_std` over folds and `_fold_N`, `epochs`
            (where the mean was best), `epochs_trained` (of all folds together) and `seconds`. None
            where there is no such value.

    Example:
        >>> from ser_keras.training.run import TrainingRun
        >>> TrialTable(Search(TrainingRun("synthetic")), []).rows
        []
    """

    def __init__(self, search: Search, trials: Iterable[Trial]) -> None:
        self.search = search
        self.rows = [self._row(trial) for trial in sorted(trials, key=self.number)]

    @staticmethod
    def number(trial: Trial) -> int:
        """Return a trial's number for readers, from 1; KerasTuner counts from 0."""
        return int(trial.trial_id) + 1

    def _row(self, trial: Trial) -> Mapping[str, Any]:
        values = trial.hyperparameters.values
        found = {name: trial.metrics.get_last_value(name) for name in trial.metrics.metrics}
        pruned = trial.status == "COMPLETED" and bool(found.get("stopped_early"))
        row: dict[str, Any] = {
            "trial": self.number(trial),
            "status": PRUNED if pruned else trial.status.lower(),
        }
        for parameter in self.search.space.parameters:
            row[parameter.name] = parameter.exact(values[parameter.name])
        if "tuner/epochs" in values:
            row["epochs_allowed"] = int(values["tuner/epochs"])
        folds = range(1, self.search.protocol.folds + 1)
        for name in OBJECTIVES:
            by_fold = {f"{name}_fold_{fold}": found.get(f"{name}_fold_{fold}") for fold in folds}
            known = [value for value in by_fold.values() if value is not None]
            std = float(np.std(known, ddof=1)) if len(known) == len(folds) else None
            row |= {name: found.get(name), f"{name}_std": std, **by_fold}
        for name in ("epochs", "epochs_trained"):
            row[name] = None if found.get(name) is None else int(found[name])
        row["seconds"] = found.get("seconds")
        return row

    def row(self, trial: Trial) -> Mapping[str, Any]:
        """Return the row of one trial."""
        return next(row for row in self.rows if row["trial"] == self.number(trial))

    @property
    def best(self) -> Mapping[str, Any] | None:
        """The row with the best objective of those that ran all folds; None without any."""
        completed = [row for row in self.rows if row["status"] == "completed"]
        return max(completed, key=lambda row: row[self.search.protocol.objective], default=None)

    def preset(self, row: Mapping[str, Any]) -> Preset:
        """Return the preset of a trial, trained for the number of epochs that was best."""
        base = self.search.run.preset
        preset = self.search.space.apply(base, row).with_settings({"epochs": row["epochs"]})
        return dataclasses.replace(preset, name=f"{base.name}-tuned")

    def write(self, out: Path) -> None:
        """Write `trials.csv` and, once there is a best trial, `best.json`."""
        if self.rows:
            write_csv(out / TRIALS_FILE, self.rows)
        if self.best is not None:
            write_json(out / BEST_FILE, self.preset(self.best).to_dict())

    def write_hparams(self, row: Mapping[str, Any], out: Path) -> None:
        """Write one ended trial for TensorBoard's HParams, in a folder of its own."""
        name = f"trial-{row['trial']:04d}"
        folder = out / "tensorboard" / name
        if folder.exists() or row[self.search.protocol.objective] is None:
            return
        settings = {each.name: row[each.name] for each in self.search.space.parameters}
        with tf.summary.create_file_writer(str(folder)).as_default():
            hparams.hparams(settings, trial_id=name)
            for metric in (*OBJECTIVES, "seconds"):
                tf.summary.scalar(metric, row[metric], step=row["epochs"])
