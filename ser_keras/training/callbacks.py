"""Keras callbacks of a training run."""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from ser_keras.errors import DivergenceError
from ser_keras.interruption import Deferred
from ser_keras.model.settings import Optimization, Preset
from ser_keras.training.checkpoint import Backup, RepeatableEpochs
from ser_keras.training.history import HistoryFile
from ser_keras.training.run import HISTORY_FILE

BACKUP_FOLDER = "backup"

_PROGRESS_EVERY = 10.0  # seconds
_SHOWN = ("loss", "accuracy", "val_loss", "val_accuracy")


def of_preset(preset: Preset) -> list[keras.callbacks.Callback]:
    """Return the callbacks by which a preset changes learning rate and augmentation over time.

    Example:
        >>> [type(each).__name__ for each in of_preset(ser.presets.get("convolutional"))]
        ['LearningRateScheduler']
    """
    found: list[keras.callbacks.Callback] = []
    if preset.optimization.schedule == "cosine":
        found.append(_cosine(preset.optimization))
    if preset.augmentation.plain_epochs:
        found.append(_PlainEpochs(preset.augmentation.plain_epochs))
    return found


def for_training(
    folder: Path, label: str, seed: int, epoch: tf.Variable, preset: Preset, writes: bool = True
) -> list[keras.callbacks.Callback]:
    """Return the callbacks of a training run whose batches are shuffled by `epoch`.

    One of several workers `writes`, the others leave history, backup and progress to it.

    Example:
        >>> epoch = tf.Variable(0, dtype=tf.int64)
        >>> made = for_training(Path("run"), "train", 0, epoch, ser.presets.get("ravdess"))
        >>> type(made[0]).__name__, type(made[-1]).__name__
        ('RepeatableEpochs', 'Backup')
    """
    if not writes:
        return [*of_preset(preset), RepeatableEpochs(seed, epoch), _stop_where_diverged(label)]
    return [
        *of_preset(preset),
        RepeatableEpochs(seed, epoch),
        HistoryFile(folder / HISTORY_FILE),
        # After the history, which shows where it diverged, and before the backup.
        _stop_where_diverged(label),
        keras.callbacks.TensorBoard(folder / "tensorboard", write_graph=False),
        _Progress(label),
        Backup(folder / BACKUP_FOLDER),
    ]


def stop_between_batches(interruption: Deferred) -> keras.callbacks.Callback:
    """Raise KeyboardInterrupt after the batch of `fit` in which Ctrl-C was pressed.

    Example:
        >>> from ser_keras.interruption import deferred
        >>> with deferred("stopping soon") as interruption:
        ...     stop = stop_between_batches(interruption)  # model.fit(…, callbacks=[stop])
    """

    def check(batch: int, logs: dict[str, Any] | None = None) -> None:
        interruption.check()

    # To Keras, the batches of a validation are test batches.
    return keras.callbacks.LambdaCallback(on_train_batch_end=check, on_test_batch_end=check)


def _cosine(optimization: Optimization) -> keras.callbacks.Callback:
    """Let the learning rate fall along half a cosine, from the optimiser's own to nearly 0."""

    # By epochs and not by steps, so that a resumed run has the rates of the uninterrupted one.
    def rate(epoch: int, _: float) -> float:
        phase = math.pi * (epoch + 0.5) / optimization.epochs  # in the middle of the epoch
        return optimization.learning_rate * 0.5 * (1.0 + math.cos(phase))

    return keras.callbacks.LearningRateScheduler(rate)


class _PlainEpochs(keras.callbacks.Callback):
    """Leave masks, filters and mixtures out of the last `epochs` epochs."""

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self.epochs = epochs

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._augment(epoch < self.params["epochs"] - self.epochs)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self._augment(True)  # in the model's next training

    def _augment(self, augments: bool) -> None:
        if self.model.augments != augments:
            self.model.augments = augments
            # The step that Keras has traced would go on as before.
            self.model.make_train_function(force=True)


class _Progress(keras.callbacks.Callback):
    """Print a line on standard error now and then: epoch, loss, accuracy, time left."""

    def __init__(self, label: str) -> None:
        super().__init__()
        self.label = label
        self._first: tuple[int, float] | None = None  # epoch of this call, and when it began
        self._shown = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if self._first is None:
            self._first = (epoch, time.monotonic())

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        now = time.monotonic()
        epochs = self.params["epochs"]
        if self._first is None or (now - self._shown < _PROGRESS_EVERY and epoch + 1 < epochs):
            return
        self._shown = now
        first, began = self._first
        left = (now - began) / (epoch + 1 - first) * (epochs - epoch - 1)
        figures = [f"{key} {value:.3f}" for key, value in (logs or {}).items() if key in _SHOWN]
        print(
            f"{self.label}: epoch {epoch + 1} of {epochs}, {', '.join(figures)}, {left:.0f} s left",
            file=sys.stderr,
            flush=True,
        )


def _stop_where_diverged(label: str) -> keras.callbacks.Callback:
    """End a training whose loss is no number any more: its model would answer at random.

    Keras' TerminateOnNaN ends `fit` as if all were well.
    """

    def check(epoch: int, logs: dict[str, float]) -> None:
        if not math.isfinite(logs["loss"]):
            raise DivergenceError(
                f"{label}: expected a finite loss, found {logs['loss']} in epoch {epoch + 1}; "
                "there is no model. Try a smaller learning_rate"
            )

    return keras.callbacks.LambdaCallback(on_epoch_end=check)
