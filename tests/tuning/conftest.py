"""Searches whose trials take no time: training is replaced by a formula of the settings."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ser_keras.training.run import TrainingRun
from ser_keras.tuning import conduct
from ser_keras.tuning import search as search_module
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
    """A stand-in for what a fold's model reaches."""
    architecture = preset.architecture
    return (
        0.5
        + architecture.recognition_units / 400
        - architecture.recognition_dropout / 5
        + (0.01 * fold)
    )


class InsteadOfTraining:
    """What `FoldTrainer` is, without training; notes every fold."""

    begun: list[tuple[str, int]]  # settings and fold, in the order they were asked for

    def __init__(self, preset: Any, extracted: Any, protocol: Protocol) -> None:
        self.preset = preset
        self.epochs_trained = 0
        self._fold = 0

    def fold(self, training: Any, held_out: Any) -> Curve:
        """The formula's value after ten epochs, and a little less before."""
        self._fold += 1
        settings = f"{self.preset.architecture}{self.preset.optimization}"
        type(self).begun.append((settings, self._fold))
        self.epochs_trained += 10
        value = formula(self.preset, self._fold)
        return Curve((5, 10), (value - 0.1, value), (value - 0.1, value))


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Replace training, and give the list of all folds that were begun."""
    InsteadOfTraining.begun = []
    monkeypatch.setattr(search_module, "FoldTrainer", InsteadOfTraining)
    # There is no model whose graphs would have to go, and looking for them takes half a second.
    monkeypatch.setattr("keras.backend.clear_session", lambda: None)
    return InsteadOfTraining.begun


@pytest.fixture
def without_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the report out, whose pictures take longer than all the rest."""
    monkeypatch.setattr(conduct, "tuning_report", lambda *_: "")


@pytest.fixture
def make_search(manifest: Path, tiny_preset: Any) -> Callable[..., Search]:
    """A search on the manifest with `SPACE`; arguments replace its parts."""

    def make(seed: int = 0, **parts: Any) -> Search:
        run = TrainingRun(
            "manifest", str(manifest), tiny_preset, validation_fraction=0.0, seed=seed
        )
        protocol = Protocol(folds=2, seed=seed, **parts.pop("protocol", {}))
        return Search(**{"run": run, "space": SPACE, "protocol": protocol, **parts})

    return make


@pytest.fixture
def address() -> str:
    """Where a chief can listen."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{listener.getsockname()[1]}"
