"""`ser-keras tune` from its command line to its report."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from ser_keras.commands import main as cli

pytestmark = pytest.mark.usefixtures("eagerly", "without_plots")

SPACE = """
recognition_units = { values = [4, 8] }
recognition_dropout = { low = 0.0, high = 0.5, step = 0.1 }
attention = { values = [true, false] }
"""


@pytest.fixture
def tune(
    manifest: Path,
    tiny_settings: dict[str, Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., tuple[int, str, str]]:
    """Run the command on the manifest; later words replace earlier ones."""
    (tmp_path / "space.toml").write_text(SPACE, encoding="utf-8")

    def run(*more: str) -> tuple[int, str, str]:
        words = ["tune", "--corpus", "manifest", "--data", str(manifest)]
        words += ["--space", str(tmp_path / "space.toml"), "--folds", "2"]
        words += ["--out", str(tmp_path / "out")]
        words += [
            word for key, value in tiny_settings.items() for word in ("--set", f"{key}={value}")
        ]
        capsys.readouterr()
        status = cli.main([*words, *more])
        told = capsys.readouterr()
        return status, told.out, told.err

    return run


def test_a_search_leaves_its_table_best_preset_report_and_comparison(
    tune: Callable[..., tuple[int, str, str]], tmp_path: Path
):
    status, told, progress = tune(
        "--budget", "4", "--no-prune", "--test", "1", "--set", "epochs=1", "--every", "1"
    )
    out = tmp_path / "out"
    assert status == 0, progress
    assert told == f"{out / 'best.json'}\n"
    assert re.search(r"trial 4 of 4: weighted_accuracy .* best so far .* min left", progress)
    left = {path.name for path in out.iterdir()}
    assert left == {
        "search.json", "split.csv", "trials", "trials.csv", "best.json", "report.html",
        "tensorboard", "test", "corpus.csv",
    }  # fmt: skip
    with (out / "trials.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows] == ["completed"] * 4
    assert {row["attention"] for row in rows} <= {"True", "False"}

    html = (out / "report.html").read_text(encoding="utf-8")
    assert html.count("data:image/png;base64,") == 2  # parallel coordinates and importance
    assert not re.search(r'(src|href)="(?!data:)', html)
    for words in ("What mattered", "On the test subset", "All trials at once", "one standard dev"):
        assert words in html

    compared = json.loads((out / "test" / "comparison.json").read_text())
    assert compared["better_by"]["weighted_accuracy"] == pytest.approx(
        compared["best"]["weighted_accuracy"]["mean"]
        - compared["preset"]["weighted_accuracy"]["mean"]
    )
    # Its test subset is the search's, none of which was in a fold.
    with (out / "split.csv").open(newline="") as file:
        split = {Path(row["path"]).name: row["part"] for row in csv.DictReader(file)}
    (best,) = (out / "test").glob("best-trial-*-seed-0")
    with (best / "predictions.csv").open(newline="") as file:
        tested = {Path(row["file"]).name for row in csv.DictReader(file)}
    assert tested == {name for name, part in split.items() if part == "test"}

    _check_hparams(out, rows)


def _check_hparams(out: Path, rows: list[dict[str, str]]) -> None:
    """TensorBoard's own reader finds every trial's settings and accuracies."""
    folders = sorted((out / "tensorboard").iterdir())
    assert len(folders) == len(rows)
    for folder, row in zip(folders, rows, strict=True):
        events = EventAccumulator(str(folder)).Reload()
        accuracy = events.Tensors("weighted_accuracy")[0].tensor_proto
        assert tf.make_ndarray(accuracy).item() == pytest.approx(float(row["weighted_accuracy"]))
        content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
        start = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info
        assert start.hparams["recognition_units"].number_value == int(row["recognition_units"])
        assert start.hparams["attention"].bool_value == (row["attention"] == "True")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--space", "papr"), "found 'papr'"),
        (("--folds", "9"), "of 9 by random: expected every emotion, found no utterance of"),
        (("--folds", "1"), "folds: expected 2 or more"),
        (("--folds-by", "speaker", "--folds", "3"), "number of speakers"),
        (("--budget", "0"), "--budget"),
        (("--hours", "0"), "--hours"),
        (("--role", "chief"), "--address HOST:PORT: expected with --role chief"),
        (("--address", "here:8500"), "--address HOST:PORT: expected with --role chief"),
        (("--role", "worker", "--address", "here"), "expected HOST:PORT"),
        (("--patience", "0"), "patience"),
        (
            ("--set", "window=30.0", "--set", "hop=1.0"),
            "expected utterances that can be used, found none",
        ),
    ],
)
def test_a_mistake_is_reported_before_the_first_trial(
    words: tuple[str, ...], message: str, tune: Callable[..., tuple[int, str, str]], tmp_path: Path
):
    status, out, err = tune(*words)
    assert (status, out) == (1, "")
    assert message in err.strip().splitlines()[-1]
    assert "trial 1" not in err
    assert not (tmp_path / "out" / "trials").exists()


def test_an_empty_corpus_is_refused(tune: Callable[..., tuple[int, str, str]], tmp_path: Path):
    empty = tmp_path / "empty.csv"
    empty.write_text("path,emotion\n", encoding="utf-8")
    status, _, err = tune("--data", str(empty))
    assert status == 1
    assert "only column names" in err.strip().splitlines()[-1]


def test_an_unknown_setting_in_a_space_is_refused_with_the_known_ones(
    tune: Callable[..., tuple[int, str, str]], tmp_path: Path
):
    (tmp_path / "space.toml").write_text("recognition_unit = { values = [4, 8] }\n")
    status, _, err = tune()
    assert status == 1
    assert "found 'recognition_unit'" in err
    assert "recognition_units" in err


def test_bayesian_search_without_scikit_learn_says_how_to_install_it(
    tune: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr("keras_tuner.src.tuners.bayesian.sklearn", None)
    status, _, err = tune("--search", "bayesian")
    assert status == 1
    assert "pip install 'ser-keras[bayesian]'" in err
    assert not (tmp_path / "out" / "search.json").exists()  # another search may have the folder
