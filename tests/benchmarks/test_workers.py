"""`benchmarks.workers` trains alone and on two workers, and compares their steps."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from benchmarks import workers


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="needs two cores and taskset",
)
def test_it_leaves_seconds_of_a_step_and_their_ratio(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    words = ["--preset", "ravdess", "--batches", "2", "4", "--out", str(tmp_path)]
    assert workers.main(words) == 0
    found = json.loads((tmp_path / "workers.json").read_text())
    for count in ("1", "2"):
        assert set(found["seconds_of_a_step"][count]) == {"2", "4"}
        assert all(seconds > 0 for seconds in found["seconds_of_a_step"][count].values())
    one, two = (found["seconds_of_a_step"][count]["4"] for count in ("1", "2"))
    assert found["of_one"]["4"] == pytest.approx(two / one)
    assert capfd.readouterr().out == (tmp_path / "workers.md").read_text()
