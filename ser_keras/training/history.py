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

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Add the epoch, in place of what a killed run wrote of it and of later ones."""
        earlier = [row for row in read_history(self.path) if row["epoch"] < epoch]
        row = {"epoch": epoch, **(logs or {})}
        write_csv(self.path, [*earlier, row], list(row))


def read_history(path: Path) -> list[dict[str, Any]]:
    """Read a `history.csv`, a row an epoch; no rows where there is no file.

    Example:
        >>> read_history(Path("nowhere.csv"))
        []
    """
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    # A metric that an earlier version did not record has an empty field.
    return [
        {name: float(value or "nan") for name, value in row.items()} | {"epoch": int(row["epoch"])}
        for row in rows
    ]
