"""`benchmarks.speaker_adaptation` answers as adapted models do, by others of the same speaker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import speaker_adaptation as benchmark
from ser_keras.commands import main as cli
from ser_keras.evaluation import adapted_speakers

VOICES = {"ann": [0.0, 2.0, 0.0], "bob": [2.0, 0.0, 0.0]}


def _two_voices(each: int = 30) -> dict[str, Any]:
    """Answers that are right but for what a voice adds to the logits."""
    labels = np.tile([0, 1, 2], 2 * each // 3)
    speakers = np.repeat(["ann", "bob"], each)
    logits = np.eye(3)[labels] + np.array([VOICES[name] for name in speakers])
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    classes = ["neutral", "sad", "angry"]
    return {
        "classes": classes,
        "labels": labels,
        "speakers": speakers,
        "probabilities": probabilities,
    }


def test_all_others_are_what_the_evaluation_has():
    found = _two_voices()
    expected = adapted_speakers.adapt(found["probabilities"], found["speakers"].tolist())

    ours = benchmark.adapted(found, count=100, share=None, seed=0)

    np.testing.assert_allclose(ours, expected)


def test_more_others_tell_more_of_the_voice():
    found = _two_voices()
    by_count = [benchmark.unweighted(found, count) for count in (0, 2, 20)]

    assert by_count[0] == pytest.approx(1 / 3)
    assert by_count[0] < by_count[1] < by_count[2] == 1.0


def test_a_share_of_the_others_is_neutral():
    found = _two_voices()
    all_neutral = benchmark.adapted(found, count=10, share=1.0, seed=0)

    # Relative to neutral recordings alone, a neutral one is like nothing in particular.
    np.testing.assert_allclose(all_neutral[found["labels"] == 0], 1 / 3)


def test_the_command_reads_evaluations(
    trained_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    evaluation = tmp_path / "evaluation"
    words = ["evaluate", str(trained_run), "--adapt-speakers", "--out", str(evaluation)]
    assert cli.main(words) == 0
    numbers = json.loads((evaluation / "evaluation.json").read_text())

    assert benchmark.main([str(evaluation), "--out", str(tmp_path / "out")]) == 0

    (row,) = json.loads((tmp_path / "out" / "speaker_adaptation.json").read_text())["rows"]
    assert row["by_count"]["0"] == pytest.approx(numbers["unweighted_accuracy"])
    adapted = numbers["adapted_speakers"]["unweighted_accuracy"]
    assert row["by_count"]["all"] == pytest.approx(adapted)
    assert "| 10 others |" in capsys.readouterr().out
