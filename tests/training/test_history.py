"""`history.csv` has every epoch once, to the last bit."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ser_keras.training.history import HistoryFile, read_history


def history(path: Path, first: int = 0) -> HistoryFile:
    file = HistoryFile(path)
    file.on_epoch_begin(first)
    return file


def rows(path: Path) -> list[dict[str, Any]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_history_grows_by_a_row_an_epoch(tmp_path: Path):
    path = tmp_path / "history.csv"
    file = history(path)
    for epoch in range(3):
        file.on_epoch_begin(epoch)
        file.on_epoch_end(epoch, {"loss": 1.0 / (epoch + 3), "val_loss": 2.0})
        assert len(rows(path)) == epoch + 1
    assert [row["epoch"] for row in rows(path)] == ["0", "1", "2"]
    assert [float(row["loss"]) for row in rows(path)] == [1 / 3, 1 / 4, 1 / 5]  # not one bit lost
    assert read_history(path) == [
        {"epoch": epoch, "loss": 1.0 / (epoch + 3), "val_loss": 2.0} for epoch in range(3)
    ]


@pytest.mark.parametrize("resumed", [0, 1, 3])
def test_a_resumed_history_has_every_epoch_once(resumed: int, tmp_path: Path):
    path = tmp_path / "history.csv"
    killed = history(path)
    for epoch in range(3):
        killed.on_epoch_end(epoch, {"loss": 9.0})
    again = history(path, resumed)
    for epoch in range(resumed, 5):
        again.on_epoch_begin(epoch)
        again.on_epoch_end(epoch, {"loss": 1.0})
    assert [row["epoch"] for row in rows(path)] == ["0", "1", "2", "3", "4"]
    assert [row["loss"] for row in rows(path)] == ["9.0"] * resumed + ["1.0"] * (5 - resumed)


def test_a_metric_that_earlier_epochs_did_not_record_is_nan_in_them(tmp_path: Path):
    path = tmp_path / "history.csv"
    path.write_text("epoch,loss\n0,2.5\n")
    history(path, 1).on_epoch_end(1, {"loss": 1.5, "learning_rate": 0.01})
    first, second = read_history(path)
    assert (first["epoch"], first["loss"]) == (0, 2.5)
    assert np.isnan(first["learning_rate"])
    assert second == {"epoch": 1, "loss": 1.5, "learning_rate": 0.01}
