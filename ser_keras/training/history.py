"""`history.csv`: the metrics of every epoch."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import keras

from ser_keras.files import write_csv


class HistoryFile(keras.callbacks.Callback):
    """Write every epoch's metrics to a CSV file, in which a resumed run has no epoch twice.

    Example:
        >>> file = HistoryFile(Path("history.csv"))
        >>> file.on_epoch_end(0, {"loss": 1.5})  # as model.fit(…, callbacks=[file]) calls it
        >>> read_history(Path("history.csv"))
        [{'epoch': 0, 'loss': 1.5}]
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.rows = read_history(path)

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Forget what a killed run wrote of this epoch and of later ones."""
        self.rows = [row for row in self.rows if row["epoch"] < epoch]

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Add the epoch."""
        self.rows.append({"epoch": epoch, **(logs or {})})
        write_csv(self.path, self.rows, list(self.rows[-1]))


def read_history(path: Path) -> list[dict[str, Any]]:
    """Read a `history.csv`, a row an epoch; no rows where there is no file.

    Example:
        >>> read_history(Path("nowhere.csv"))
        []
    """
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        # A metric that an earlier version did not record has an empty field.
        return [
            {
                name: int(value) if name == "epoch" else float(value or "nan")
                for name, value in row.items()
            }
            for row in csv.DictReader(file)
        ]
