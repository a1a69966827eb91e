"""The best against the preset on the test subset, when a larger budget has found another best."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ser_keras.training.run import TrainingRun, split_corpus
from ser_keras.tuning import comparison


@pytest.mark.usefixtures("eagerly")
def test_another_best_is_tested_beside_the_one_before(
    manifest: Path, tiny_preset: Any, tmp_path: Path
):
    base = tiny_preset.with_settings({"epochs": 1})
    subsets = split_corpus(TrainingRun("manifest", str(manifest), base, validation_fraction=0.0))
    for trial, units in ((1, 4), (3, 6)):
        best = base.with_settings({"recognition_units": units})
        found = comparison.compare(best, base, trial, subsets, 1, tmp_path)
        assert found["best"]["preset"]["architecture"]["recognition_units"] == units
    assert {path.name for path in (tmp_path / "test").iterdir() if path.is_dir()} == {
        "preset-seed-0", "best-trial-1-seed-0", "best-trial-3-seed-0",
    }  # fmt: skip
