"""Going on after a kill: epochs that can be repeated, and backups that are whole or not there."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from ser_keras.files import replacing
from ser_keras.model import archives

BACKUP_EVERY = 10.0  # seconds


class RepeatableEpochs(keras.callbacks.Callback):
    """Make the noise and the order of every epoch a function of the seed and its number alone.

    A resumed run then draws what the uninterrupted one would have drawn.

    Example:
        >>> epoch = tf.Variable(0, dtype=tf.int64)  # also given to `pipeline.batches`
        >>> repeatable = RepeatableEpochs(0, epoch)  # model.fit(…, callbacks=[repeatable])
    """

    def __init__(self, seed: int, epoch: tf.Variable) -> None:
        super().__init__()
        self.seed = seed
        self.epoch = epoch

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Set the order of the batches and the state of every generator of noise."""
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

    Example:
        >>> backup = Backup(Path("backup"))  # model.fit(…, callbacks=[backup])
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
        # Not HDF5: writing it to a full disk ends the process, where this is an error.
        with replacing(self.folder / f"{epoch + 1:06d}.npz") as temporary:
            np.savez(temporary, *(variable.numpy() for variable in _state(self.model)))
        for path in older:
            path.unlink()
        self._saved = time.monotonic()


def restore(model: keras.Model, folder: Path) -> int:
    """Put a compiled model back to its last backup; return the epochs it was trained for, or 0.

    A backup that is not as it was written is removed, with a line on standard error, and the one
    before it is taken, if a kill left one.

    Example:
        >>> restore(model, Path("backup"))
        0
    """
    for path in reversed(_backups(folder)):
        state = _state(model)
        try:
            values = _read(path, [variable.shape for variable in state])
        except ValueError as error:
            print(f"{error}; removed, training goes on from before it", file=sys.stderr)
            path.unlink(missing_ok=True)  # another worker may have done so
            continue
        for variable, value in zip(state, values, strict=True):
            variable.assign(value)
        return int(path.stem)
    return 0


def _read(path: Path, shapes: Sequence[tuple[int, ...]]) -> list[np.ndarray]:
    """Read a backup, all of it before any is used; raise ValueError for anything but these."""
    # Each array is preceded by its description of some hundred bytes.
    archives.check(path, most=2 * path.stat().st_size)
    with np.load(path) as arrays:
        values = [*arrays.values()]
    if [value.shape for value in values] != [tuple(shape) for shape in shapes]:
        raise ValueError(f"{path}: expected a backup of this model, found another's")
    return values


def _state(model: keras.Model) -> list[keras.Variable]:
    """All that training changes, but for what `RepeatableEpochs` sets."""
    return [*model.weights, *model.optimizer.variables]


def _backups(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.npz") if path.stem.isdecimal())
