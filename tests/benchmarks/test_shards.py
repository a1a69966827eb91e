"""`benchmarks.shards` trains on shards that it makes up, and removes them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import shards


def test_it_leaves_a_peak_for_every_size(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    assert shards.main(["--gigabytes", "0.02", "--out", str(tmp_path)]) == 0
    [row] = json.loads((tmp_path / "shards.json").read_text())["rows"]
    assert row["gigabytes"] == pytest.approx(0.02, rel=0.2)
    assert row["peak_megabytes"] > 100
    assert capfd.readouterr().out == (tmp_path / "shards.md").read_text()
    assert {path.name for path in tmp_path.iterdir()} == {"shards.json", "shards.md"}
