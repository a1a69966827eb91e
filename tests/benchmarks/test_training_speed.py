"""How the benchmark of training takes turns and sums up."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.speed import training


class FakeContender:
    """Answers at once."""

    turns: list[str]

    def __init__(self, name: str, instants: int, utterances: int, threads: int) -> None:
        self.name = name
        self.speed = {"ser_keras": 30.0, "pytorch": 10.0}[name]

    def epoch(self):
        self.turns.append(self.name)
        return self.speed

    def close(self):
        self.turns.append(f"{self.name} closed")


@pytest.fixture
def result(monkeypatch: pytest.MonkeyPatch):
    FakeContender.turns = []
    monkeypatch.setattr(training, "Contender", FakeContender)
    return training.compare(instants=4, utterances=8, repetitions=3, threads=1)


def test_contenders_alternate_and_both_go_first(result: dict[str, Any]):
    ours, peer = "ser_keras", "pytorch"
    assert FakeContender.turns[:6] == [ours, peer, peer, ours, ours, peer]
    assert FakeContender.turns[6:] == ["ser_keras closed", "pytorch closed"]


def test_ratio_is_ours_over_the_peers(result: dict[str, Any]):
    assert result["ratio"] == {"median": 3.0, "min": 3.0, "max": 3.0}
    assert result["ser_keras"]["runs"] == [30.0] * 3
    assert "| 4 | 30 | 10 | 3.00 (3.00, 3.00) |" in training.table([result])
    assert training.summary([result]).endswith("3.00 × at T = 4.")
