"""`benchmarks.study` trains a preset with one thing changed, on the same splits, and sums up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.study import __main__ as study
from benchmarks.study.measurement import collect
from benchmarks.study.variations import VARIATIONS
from ser_keras.errors import ConfigurationError
from ser_keras.model import presets
from ser_keras.training import run as training

SMALL = {
    "epochs": 1,
    "batch_size": 64,
    "recognition_units": 4,
    "generation_units": 4,
    "classification_units": 4,
    "latent_size": 2,
}


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """Arguments of a study that takes seconds: split indexes and variations are to be added."""
    settings = [word for key, value in SMALL.items() for word in ("--set", f"{key}={value}")]
    where = ["--corpus", "synthetic", "--preset", "ravdess", "--out", str(tmp_path / "out")]
    return [*where, *settings]


def _run_folders(out: Path) -> dict[str, dict[str, Any]]:
    found = sorted(out.glob("*/*/evaluation.json"))
    return {str(path.parent.relative_to(out)): json.loads(path.read_text()) for path in found}


def test_every_variation_changes_both_presets():
    for name in ("convolutional", "tiny"):
        preset = presets.get(name)
        changed = [variation.of(preset) for variation in VARIATIONS.values()]
        assert changed[0] == preset
        assert len({json.dumps(one.to_dict()) for one in changed}) == len(VARIATIONS)


def test_without_copies_there_are_as_many_steps():
    preset = presets.get("convolutional")
    without = VARIATIONS["no-copies"].of(preset)
    passes = [one.optimization.epochs * (1 + one.augmentation.copies) for one in (preset, without)]
    assert passes[0] == passes[1]


def test_a_study_of_two_splits_goes_on_where_it_was(
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    out = tmp_path / "out"
    random = [*words, "--only", "as-it-is", "--split", "random", "--split-indexes", "0,1"]
    # Nothing is masked as it is.
    assert study.main([*random, "--only", "no-masks"]) == 0
    runs = _run_folders(out)
    assert sorted(runs) == ["random-0/as-it-is", "random-1/as-it-is"]
    assert [runs[name]["seed"] for name in sorted(runs)] == [0, 1]
    assert capsys.readouterr().out == (out / "study.md").read_text()

    # Another variation and kind of split joins the table of what is finished.
    assert study.main([*words, "--only", "no-attention", "--split-indexes", "1"]) == 0
    table = (out / "study.md").read_text()
    assert "random 0, 1" in table
    assert "by speaker 1" in table
    found = json.loads((out / "study.json").read_text())["variations"]
    accuracies = [run["weighted_accuracy"] for run in runs.values()]
    told = found["as-it-is"]["random"]["weighted_accuracy"]
    assert told["mean"] == pytest.approx(np.mean(accuracies))
    assert told["std"] == pytest.approx(np.std(accuracies, ddof=1))
    assert found["no-attention"]["speaker"]["sampled_fraction"]["after_first"] == 1.0

    def train_again(*_: Any) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr("benchmarks.study.measurement.train", train_again)
    capsys.readouterr()
    assert study.main(random) == 0
    assert capsys.readouterr().out == table

    assert study.main([*random, "--set", "latent_size=3"]) == 1
    assert "latent_size" in capsys.readouterr().err

    # Runs of another preset were copied to it.
    config = out / "random-1" / "as-it-is" / training.CONFIGURATION_FILE
    config.write_text(config.read_text().replace('"latent_size": 2', '"latent_size": 3'))
    with pytest.raises(
        ConfigurationError, match=r"random-1/as-it-is: expected the preset of .*, found another"
    ):
        collect(out)


@pytest.mark.parametrize(
    ("given", "named"),
    [("--no-attention", "--no-attention"), ("--split random --seed 3", "--seed 3")],
)
def test_what_varies_is_not_for_options_to_say(
    given: str, named: str, words: list[str], capsys: pytest.CaptureFixture[str]
):
    assert study.main([*words, *given.split()]) == 1
    assert f"{named}: expected" in capsys.readouterr().err


def test_split_indexes_are_numbers(words: list[str], capsys: pytest.CaptureFixture[str]):
    assert study.main([*words, "--split-indexes", "first"]) == 1
    assert (
        "--split-indexes: expected numbers such as 0,1,2, found 'first'" in capsys.readouterr().err
    )
