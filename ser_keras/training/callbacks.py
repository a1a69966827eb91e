"""Keras callbacks of a training run that can be killed at any time and called again."""

from __future__ import annotations

import csv
import io
import math
import sys
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ser_keras.errors import DivergenceError
from ser_keras.files import replacing, write_text
from ser_keras.interruption import Deferred
from ser_keras.model.settings import Preset

BACKUP_EVERY = 10.0  # seconds
PROGRESS_EVERY = 10.0  # seconds


class RepeatableEpochs(keras.callbacks.Callback):
    """Make the noise and the order of every epoch a function of the seed and its number alone.

    A resumed run then draws what the uninterrupted one would have drawn.

    Args:
        seed: of the run.
        epoch: the variable that `pipeline.batches` shuffles by.
    """

    def __init__(self, seed: int, epoch: tf.Variable) -> None:
        super().__init__()
        self.seed = seed
        self.epoch = epoch

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Set the epoch's order and seeds."""
        self.epoch.assign(epoch)
        generators = self.model.seed_generators
        seeds = np.random.SeedSequence([self.seed, epoch]).generate_state(len(generators))
        for generator, seed in zip(generators, seeds, strict=True):
            generator.state.assign(np.array([seed, 0], dtype=np.uint32))


class Backup(keras.callbacks.Callback):
    """Save weights and optimiser at the end of an epoch, at most once in `BACKUP_EVERY` seconds.

    Keras' BackupAndRestore writes the epoch's number and the weights one after the other: killed
    between the two, it restores an epoch that never was. Here the number is in the file's name, and
    the file appears whole.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self._saved = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Save if it is time."""
        if time.monotonic() - self._saved < BACKUP_EVERY:
            return
        self.folder.mkdir(exist_ok=True)
        older = _backups(self.folder)
        # Not HDF5: a full disk, an error here, ends the process there.
        with replacing(self.folder / f"{epoch + 1:06d}.npz") as temporary:
            np.savez(temporary, *(variable.numpy() for variable in _state(self.model)))
        for path in older:
            path.unlink()
        self._saved = time.monotonic()


def restore(model: keras.Model, folder: Path) -> int:
    """Put a compiled model back to its last backup.

    Returns:
        How many epochs it has been trained for; 0 where there is no backup.
    """
    backups = _backups(folder)
    if not backups:
        return 0
    with np.load(backups[-1]) as arrays:
        for variable, value in zip(_state(model), arrays.values(), strict=True):
            variable.assign(value)
    return int(backups[-1].stem)


def _state(model: keras.Model) -> list[keras.Variable]:
    """All that training changes and `RepeatableEpochs` does not set."""
    return [*model.weights, *model.optimizer.variables]


def _backups(folder: Path) -> list[Path]:
    return sorted(folder.glob("[0-9]*.npz"))


class CosineSchedule(keras.callbacks.Callback):
    """Let the learning rate fall along half a cosine, from the optimiser's own to nearly nothing.

    By epochs, so that a resumed run has the rates of the uninterrupted one.

    Args:
        learning_rate: at the beginning.
        epochs: after which it would be 0.
    """

    def __init__(self, learning_rate: float, epochs: int) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.epochs = epochs

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Set the epoch's rate: that of its middle."""
        phase = math.pi * (epoch + 0.5) / self.epochs
        rate = self.learning_rate * 0.5 * (1.0 + math.cos(phase))
        self.model.optimizer.learning_rate.assign(rate)


class PlainEpochs(keras.callbacks.Callback):
    """Leave masks, filters and mixtures out of the last epochs.

    Args:
        epochs: how many.
    """

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self.epochs = epochs

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Leave them out if it is time."""
        self._augment(epoch < self.params["epochs"] - self.epochs)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Let the model's next training have them again."""
        self._augment(True)

    def _augment(self, augments: bool) -> None:
        if self.model.augments != augments:
            self.model.augments = augments
            # What Keras has traced of the step would go on as before.
            self.model.make_train_function(force=True)


class HistoryFile(keras.callbacks.Callback):
    """Write every epoch's metrics to a CSV, without the epochs that a resumed run repeats."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.rows: list[dict[str, Any]] = []
        if path.exists():
            self.rows = read_history(path)

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Forget what a killed run wrote of this epoch and of later ones."""
        self.rows = [row for row in self.rows if int(row["epoch"]) < epoch]

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Add the epoch."""
        self.rows.append({"epoch": epoch, **(logs or {})})
        text = io.StringIO()
        writer = csv.DictWriter(text, list(self.rows[-1]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        write_text(self.path, text.getvalue())


def read_history(path: Path) -> list[dict[str, Any]]:
    """Rows of a `history.csv`, an epoch each."""
    with path.open(newline="", encoding="utf-8") as file:
        return [
            {name: int(value) if name == "epoch" else float(value) for name, value in row.items()}
            for row in csv.DictReader(file)
        ]


class Progress(keras.callbacks.Callback):
    """A line on standard error now and then: epoch, loss, accuracy, time left."""

    def __init__(self, label: str) -> None:
        super().__init__()
        self.label = label
        self._first: tuple[int, float] | None = None
        self._shown = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Remember when this run began, and at which epoch."""
        if self._first is None:
            self._first = (epoch, time.monotonic())

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Show the epoch if it is time, or the last."""
        now = time.monotonic()
        epochs = self.params["epochs"]
        if self._first is None or (now - self._shown < PROGRESS_EVERY and epoch + 1 < epochs):
            return
        self._shown = now
        first, began = self._first
        left = (now - began) / (epoch + 1 - first) * (epochs - epoch - 1)
        shown = {
            name: value
            for name, value in (logs or {}).items()
            if name in ("loss", "accuracy", "val_loss", "val_accuracy")
        }
        figures = ", ".join(f"{name} {value:.3f}" for name, value in shown.items())
        print(
            f"{self.label}: epoch {epoch + 1} of {epochs}, {figures}, {left:.0f} s left",
            file=sys.stderr,
            flush=True,
        )


class StopBetweenBatches(keras.callbacks.Callback):
    """End `fit`, `evaluate` or `predict` after the batch in which Ctrl-C was pressed.

    Args:
        interruption: of the `deferred` block that it is called in.
    """

    def __init__(self, interruption: Deferred) -> None:
        super().__init__()
        self._interruption = interruption

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Raise KeyboardInterrupt where it was pressed."""
        self._interruption.check()

    def on_test_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """The same for validation and `evaluate`."""
        self._interruption.check()

    def on_predict_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """The same for `predict`."""
        self._interruption.check()


class StopWhereDiverged(keras.callbacks.Callback):
    """End a training whose loss is no number any more: its model would answer at random.

    Keras' TerminateOnNaN ends `fit` as if all were well.

    Args:
        label: what the message begins with.
    """

    def __init__(self, label: str) -> None:
        super().__init__()
        self.label = label

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Raise DivergenceError if it is so."""
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            raise DivergenceError(
                f"{self.label}: the loss is {loss} in epoch {epoch + 1}, expected a finite number; "
                "there is no model. Try a smaller learning_rate"
            )


def of_preset(preset: Preset) -> list[keras.callbacks.Callback]:
    """What a preset changes in the course of a training: learning rate and augmentation."""
    optimization, plain = preset.optimization, preset.augmentation.plain_epochs
    schedule = CosineSchedule(optimization.learning_rate, optimization.epochs)
    return [
        *([schedule] if optimization.schedule == "cosine" else []),
        *([PlainEpochs(plain)] if plain else []),
    ]


def for_training(
    folder: Path, label: str, seed: int, epoch: tf.Variable, preset: Preset
) -> list[Any]:
    """All callbacks of a training run that leaves its files in `folder`."""
    return [
        *of_preset(preset),
        RepeatableEpochs(seed, epoch),
        HistoryFile(folder / "history.csv"),
        # Behind the history, which shows it, and before the backup.
        StopWhereDiverged(label),
        keras.callbacks.TensorBoard(
            str(folder / "tensorboard"), write_graph=False, profile_batch=0
        ),
        Progress(label),
        Backup(folder / "backup"),
    ]
