"""The comparison of a killed run's files: durations do not count, all else does."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.kills import contents


def write(folder: Path, accuracy: float, seconds: float) -> Path:
    (folder / "tensorboard").mkdir(parents=True)
    (folder / "tensorboard" / "events").write_text(str(seconds))
    (folder / "run.json").write_text(json.dumps({"a": [{"seconds": seconds, "wa": accuracy}]}))
    (folder / "trials.csv").write_text(f"trial,wa,seconds\n1,{accuracy},{seconds}\n")
    (folder / "history.csv").write_text(f"epoch,wa\n1,{accuracy}\n")
    row = f"<th>seconds</th>\n<td>{seconds}</td><td>{accuracy}</td>"
    (folder / "report.html").write_text(row)
    return folder


def test_durations_do_not_count_and_all_else_does(tmp_path: Path):
    quiet = contents(write(tmp_path / "quiet", accuracy=0.5, seconds=9.0))
    assert set(quiet) == {"run.json", "trials.csv", "history.csv", "report.html"}
    assert contents(write(tmp_path / "slower", accuracy=0.5, seconds=12.5)) == quiet
    other = contents(write(tmp_path / "other", accuracy=0.6, seconds=9.0))
    assert all(other[name] != quiet[name] for name in quiet)
