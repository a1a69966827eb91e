"""The benchmark of the first answer compares with TensorFlow's import alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.speed import first_answer


def test_the_fastest_run_counts_beside_that_of_the_import(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    alone, tiny, convolutional = first_answer.WAYS
    runs = {
        alone: [(3.0, 2.5), (4.0, 2.0)],
        tiny: [(4.25, 3.5), (5.0, 3.0)],
        convolutional: [(4.5, 3.5), (4.6, 3.6)],
    }
    first_answer.report(runs, tmp_path / "out.json")
    rows = [line.split()[-4:] for line in capsys.readouterr().out.splitlines()[1:]]
    assert rows[1] == ["4.25", "1.25", "3.00", "1.00"]
    assert rows[2] == ["4.50", "1.50", "3.50", "1.50"]
    results = json.loads((tmp_path / "out.json").read_text())
    assert results["clock"] == {alone: 3.0, tiny: 4.25, convolutional: 4.5}
