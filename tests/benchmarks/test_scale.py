"""`benchmarks.scale` measures each way once, and goes on with a table that is there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import scale


def test_what_is_measured_is_kept_and_added_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(scale, "DIFFERENT", 2)
    monkeypatch.setattr(scale, "SOME", 2)
    words = ["--out", str(tmp_path), "--way", "predict", "--recordings"]
    assert scale.main([*words, "3"]) == 0
    (one,) = json.loads((tmp_path / "scale.json").read_text())["measured"]
    assert one["processor_seconds"] > 0
    assert one["peak_megabytes"] > 100
    assert one["bytes_read"] > 3 * 10_000
    monkeypatch.setattr(scale, "costs", lambda words: pytest.fail("it is measured already"))
    assert scale.main([*words, "3"]) == 0
    shown = capsys.readouterr().out
    assert "| `tiny` | 3 | predict |" in shown
    assert "ms of a processor to read, decode and resample" in shown
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scale.json", "scale.md"]


def test_a_further_recording_costs_what_does_not_start_once():
    both = {"model": "tiny", "way": "predict", "hours_of_sound": 1.0, "peak_megabytes": 500.0}
    both |= {"bytes_read": 1e6, "bytes_written": 1e3}
    few = {**both, "recordings": 100, "seconds": 6.0, "processor_seconds": 10.0}
    many = {**both, "recordings": 1100, "seconds": 11.0, "processor_seconds": 18.0}
    shown = scale.markdown({"measured": [many, few]})
    assert "from 100 to 1,100: 8.00 ms of a processor and 5.00 ms for each further" in shown


def test_recordings_are_made_once_and_linked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scale, "DIFFERENT", 2)
    paths = list(scale.recordings(tmp_path, 5))
    assert [path.name for path in paths] == [f"{number:06d}.wav" for number in range(5)]
    assert paths[4].stat().st_ino == paths[0].stat().st_ino
    assert list(scale.recordings(tmp_path, 3)) == paths[:3]
