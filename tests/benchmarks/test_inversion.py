"""`benchmarks.inversion` tells what is lost by inversion from what the model expects."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import inversion
from ser_keras.model.presets import CONVOLUTIONAL


def test_the_distance_of_a_sound_twice_as_loud_is_six_decibels():
    spec = CONVOLUTIONAL.features
    noise = 0.1 * np.random.default_rng(0).normal(size=16000)
    one, other = inversion.log_mel(noise, spec), inversion.log_mel(2 * noise, spec)
    assert np.abs(other - one).mean() == pytest.approx(20 * np.log10(2), abs=0.01)


def test_true_observations_come_back_closer_than_expectations(
    trained_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    words = ["--model", str(trained_run), "--model", "tiny", "--corpus", "synthetic"]
    words += ["--data", str(tmp_path / "sound"), "--most", "1", "--out", str(tmp_path)]
    assert inversion.main(words) == 0
    found = json.loads((tmp_path / "inversion.json").read_text())
    true, without_phase, expected = found["models"]["tiny"]["distance"].values()
    assert max(true, without_phase) < 3.0
    assert expected > 1.5 * max(true, without_phase)
    assert "| recordings | 1 | 1 |" in capsys.readouterr().out
