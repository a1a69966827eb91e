"""Searches whose trials take no time: a formula of the settings replaces training."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ser_keras.training.run import TrainingRun
from ser_keras.tuning import run as run_module
from ser_keras.tuning import tuner as tuner_module
from ser_keras.tuning.cross_validation import Curve, Protocol
from ser_keras.tuning.search import Search
from ser_keras.tuning.spaces import Space

SPACE = Space.from_dict(
    "small",
    {
        "recognition_units": {"values": [8, 16, 32, 64]},
        "recognition_dropout": {"low": 0.0, "high": 0.8, "step": 0.1},
        "learning_rate": {"low": 0.0001, "high": 0.01, "scale": "log"},
    },
)


def formula(preset: Any, fold: int) -> float:
    """The accuracy that a fold's model is said to reach."""
    architecture = preset.architecture
    return (
        0.5
        + architecture.recognition_units / 400
        - architecture.recognition_dropout / 5
        + (0.01 * fold)
    )


class FormulaTrainer:
    """`FoldTrainer` without training; notes every fold."""

    begun: list[tuple[str, int]]  # settings and fold, in the order they were asked for

    def __init__(self, preset: Any, extracted: Any, protocol: Protocol) -> None:
        self.preset = preset
        self.epochs_trained = 0
        self._fold = 0

    def fold(self, training: Any, held_out: Any) -> Curve:
        """Give the formula's value after ten epochs, and a little less before."""
        self._fold += 1
        settings = f"{self.preset.architecture}{self.preset.optimization}"
        type(self).begun.append((settings, self._fold))
        self.epochs_trained += 10
        value = formula(self.preset, self._fold)
        return Curve((5, 10), (value - 0.1, value), (value - 0.1, value))


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Replace training; return the list of all folds that were begun."""
    FormulaTrainer.begun = []
    monkeypatch.setattr(tuner_module, "FoldTrainer", FormulaTrainer)
    # There are no graphs to free, and looking for them takes half a second.
    monkeypatch.setattr("keras.backend.clear_session", lambda: None)
    return FormulaTrainer.begun


@pytest.fixture
def without_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the report out: its pictures take longer than all the rest."""
    monkeypatch.setattr(run_module, "tuning_report", lambda *_: "")


@pytest.fixture
def make_search(manifest: Path, tiny_preset: Any) -> Callable[..., Search]:
    """Make a search on the manifest with `SPACE`; arguments replace its fields."""

    def make(seed: int = 0, **fields: Any) -> Search:
        run = TrainingRun(
            "manifest", str(manifest), tiny_preset, validation_fraction=0.0, seed=seed
        )
        protocol = Protocol(folds=2, seed=seed, **fields.pop("protocol", {}))
        return Search(**{"run": run, "space": SPACE, "protocol": protocol, **fields})

    return make


@pytest.fixture
def address() -> str:
    """An address where a chief can listen."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{listener.getsockname()[1]}"
