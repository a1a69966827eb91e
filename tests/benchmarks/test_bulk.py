"""`benchmarks.bulk` times files against direct calls, on the same recordings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile

from benchmarks import bulk


def test_it_leaves_rates_and_their_ratios(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(bulk, "ONE_BY_ONE", 2)
    monkeypatch.setattr(bulk, "TURNS", 1)
    words = ["--model", "tiny", "--recordings", "4", "--out", str(tmp_path / "out")]
    assert bulk.main(words) == 0
    found = json.loads((tmp_path / "out" / "bulk.json").read_text())
    rates = found["recordings_per_second"]
    assert set(rates) == {"direct", "files", "one by one"}
    assert found["of_direct"] == pytest.approx(rates["files"] / rates["direct"])
    assert capsys.readouterr().out == (tmp_path / "out" / "bulk.md").read_text()


def test_recordings_have_both_rates_and_several_lengths(tmp_path: Path):
    made = [soundfile.info(path) for path in bulk.make(tmp_path, 6)]
    assert {each.samplerate for each in made} == {22050, 48000}
    assert len({round(each.duration, 2) for each in made}) > 3
