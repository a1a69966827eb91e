"""`benchmarks.familiarity` compares the surprisals of a run's test subset with other sounds'."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from benchmarks import familiarity


def test_the_area_is_that_of_the_rank_test():
    random = np.random.default_rng(0)
    one, other = random.integers(0, 9, 40), random.integers(2, 12, 30)
    expected = stats.mannwhitneyu(other, one).statistic / (len(one) * len(other))
    assert familiarity.area(one.tolist(), other.tolist()) == pytest.approx(expected)


def test_sounds_are_what_they_are_called():
    made = familiarity.sounds(8000)
    slopes = {}
    for kind in ("white noise", "pink noise"):
        power = np.mean([np.abs(np.fft.rfft(sound)) ** 2 for sound in made[kind]], axis=0)
        bins = np.arange(10, len(power))
        slopes[kind] = np.polyfit(np.log(bins), np.log(power[10:]), 1)[0]
    assert slopes["white noise"] == pytest.approx(0.0, abs=0.1)
    assert slopes["pink noise"] == pytest.approx(-1.0, abs=0.1)
    for sound in (sound for sounds in made.values() for sound in sounds):
        assert np.std(sound) == pytest.approx(familiarity.LEVEL)


def test_every_kind_has_an_area(
    trained_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    monkeypatch.setattr(familiarity, "SYNTHETIC", 2)
    words = [str(trained_run), "--corpus", "synthetic", "--data", str(tmp_path / "sound")]
    assert familiarity.main([*words, "--most", "3", "--out", str(tmp_path / "out")]) == 0
    found = json.loads((tmp_path / "out" / "familiarity.json").read_text())
    assert {"synthetic", "chords", "the test subset, backwards"} <= found["kinds"].keys()
    assert all(0.0 <= kind["area"] <= 1.0 for kind in found["kinds"].values())
    assert "| chords | 2 |" in capsys.readouterr().out
