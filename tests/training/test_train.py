"""A run: repeatable, resumable after any kind of death, never mixed up with another."""

from __future__ import annotations

import csv
import dataclasses
import functools
import json
import math
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from ser_keras import corpora
from ser_keras.corpora import splits
from ser_keras.errors import ConfigurationError, CorpusError, DivergenceError
from ser_keras.evaluation import results
from ser_keras.features import extraction
from ser_keras.model import files as model_files
from ser_keras.model.vrnn import VRNN
from ser_keras.training import callbacks, checkpoint
from ser_keras.training.history import read_history
from ser_keras.training.run import TrainingRun, read_run, split_corpus
from ser_keras.training.train import train

# Python that trains the run in argv[1] to the folder in argv[2], and kills itself at the end of the
# second epoch, when its metrics are on disk and its weights are not.
KILLED = """
import json, os, pathlib, signal, sys
from ser_keras.training import callbacks, checkpoint
from ser_keras.training.run import TrainingRun
from ser_keras.training.train import train

class Killed(checkpoint.Backup):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        super().on_epoch_end(epoch, logs)

checkpoint.BACKUP_EVERY = 0.0
callbacks.Backup = Killed
train(TrainingRun.from_dict(json.loads(sys.argv[1])), pathlib.Path(sys.argv[2]))
"""


class Fault(Exception):
    """An error that a test causes."""


class FailingAt(keras.callbacks.Callback):
    """Raises in the middle of an epoch."""

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self.failing = epoch
        self.epoch = -1

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if self.epoch == self.failing:
            raise Fault


@pytest.fixture
def backup_every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "BACKUP_EVERY", 0.0)


def weights(folder: Path) -> list[np.ndarray]:
    return model_files.load(folder).get_weights()


def assert_same_weights(one: Path, other: Path, tolerance: float = 0.0) -> None:
    for ours, theirs in zip(weights(one), weights(other), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance)


def history(folder: Path) -> list[dict[str, str]]:
    with (folder / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_leaves_what_the_readme_promises(trained_run: Path):
    left = {path.name for path in trained_run.iterdir()}
    assert left == {"config.json", "split.csv", "history.csv", "model.keras", "tensorboard"}
    assert list((trained_run / "tensorboard" / "train").glob("events.out.tfevents.*"))
    assert list((trained_run / "tensorboard" / "validation").glob("events.out.tfevents.*"))


def test_config_records_everything_that_decides_the_numbers(
    trained_run: Path, tiny_run: TrainingRun, tiny_settings: dict[str, Any]
):
    config = json.loads((trained_run / "config.json").read_text())
    assert set(config) == {"run", "versions", "git"}
    assert config["run"]["seed"] == 7
    assert config["run"]["corpus"] == "manifest"
    recorded = {
        key: value for part in config["run"]["preset"].values() if isinstance(part, dict)
        for key, value in part.items()
    }  # fmt: skip
    assert {key: recorded[key] for key in tiny_settings} == tiny_settings
    assert config["versions"]["python"] == platform.python_version()
    for package in ("tensorflow", "keras", "tensorflow-probability", "librosa", "numpy"):
        assert config["versions"][package] == version(package)
    assert read_run(trained_run) == tiny_run


def test_history_has_a_row_of_numbers_for_every_epoch(trained_run: Path):
    rows = history(trained_run)
    assert [row["epoch"] for row in rows] == ["0", "1", "2"]
    for name in ("loss", "elbo", "kl", "accuracy", "sampled_fraction"):
        for column in (name, f"val_{name}"):
            assert all(np.isfinite(float(row[column])) for row in rows)


def test_the_split_file_is_the_split_and_its_subsets_are_disjoint(
    trained_run: Path, tiny_run: TrainingRun, manifest: Path
):
    corpus = corpora.load("manifest", manifest)
    kept = splits.read(trained_run / "split.csv", corpus)
    assert {name: list(subset) for name, subset in kept.items()} == {
        name: list(subset) for name, subset in split_corpus(tiny_run).items()
    }
    together = [utterance for subset in kept.values() for utterance in subset]
    assert len(together) == len(set(together)) == len(corpus)
    _, test = splits.random(corpus, 0.2, seed=7)
    assert list(kept["test"]) == list(test)


def test_standardization_is_learnt_from_the_training_subset_alone(
    trained_run: Path, tiny_run: TrainingRun
):
    training = split_corpus(tiny_run)["train"]
    spec = tiny_run.preset.features
    everything = np.concatenate(
        extraction.extract_corpus(training, spec, progress=False).observations
    ).astype(np.float64)
    standardized = model_files.load(trained_run).standardization(everything.astype(np.float32))
    expected = (everything - everything.mean(axis=0)) / everything.std(axis=0)
    np.testing.assert_allclose(np.asarray(standardized), expected, atol=1e-3)


@pytest.fixture(scope="module")
def eager_run(tiny_run: TrainingRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `train` left of `tiny_run` without a graph; do not change it."""
    folder = tmp_path_factory.mktemp("eager")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SER_KERAS_CACHE", str(folder / "cache"))
        patch.setattr(VRNN, "compile", functools.partialmethod(VRNN.compile, run_eagerly=True))
        train(tiny_run, folder / "run")
    return folder / "run"


@pytest.mark.usefixtures("eagerly")
def test_same_seed_same_weights_whatever_was_drawn_before(
    tiny_run: TrainingRun, eager_run: Path, tmp_path: Path
):
    keras.backend.clear_session()
    keras.utils.set_random_seed(12345)  # whatever a user's script does
    train(tiny_run, tmp_path)
    assert_same_weights(tmp_path, eager_run)
    assert history(tmp_path) == history(eager_run)


def test_a_graph_learns_what_plain_steps_learn(trained_run: Path, eager_run: Path):
    """Noise included: seeds must not be used up while a graph is traced."""
    assert_same_weights(trained_run, eager_run, tolerance=1e-4)


def test_a_killed_process_is_resumed(tiny_run: TrainingRun, trained_run: Path, tmp_path: Path):
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, json.dumps(tiny_run.to_dict()), str(tmp_path)],
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert len(history(tmp_path)) == 2
    assert [path.name for path in (tmp_path / "backup").iterdir()] == ["000001.npz"]
    assert not (tmp_path / "model.keras").exists()

    train(tiny_run, tmp_path)
    assert_same_weights(tmp_path, trained_run)
    assert history(tmp_path) == history(trained_run)
    assert not (tmp_path / "backup").exists()


@pytest.mark.usefixtures("backup_every_epoch", "eagerly")
def test_a_run_resumes_after_an_error_within_an_epoch(
    tiny_run: TrainingRun, eager_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    usual: Callable[..., list[Any]] = callbacks.for_training
    with monkeypatch.context() as patch:
        patch.setattr(
            callbacks, "for_training", lambda *given: [*usual(*given), FailingAt(epoch=2)]
        )
        with pytest.raises(Fault):
            train(tiny_run, tmp_path)
    assert [row["epoch"] for row in history(tmp_path)] == ["0", "1"]

    train(tiny_run, tmp_path)
    assert_same_weights(tmp_path, eager_run)
    assert history(tmp_path) == history(eager_run)


def test_a_finished_run_is_not_trained_again(
    tiny_run: TrainingRun,
    trained_run: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    def fit(*_: Any, **__: Any) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr("ser_keras.model.vrnn.VRNN.fit", fit)
    before = (trained_run / "model.keras").stat().st_mtime_ns
    model = train(tiny_run, trained_run)
    assert (trained_run / "model.keras").stat().st_mtime_ns == before
    assert model.classes == corpora.load("manifest", tiny_run.data).emotions
    assert "trained already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 8}, "seed 7 instead of 8"),
        ({"test_fraction": 0.3}, "test_fraction 0.2 instead of 0.3"),
        ({"epochs": 5}, "preset.optimization.epochs 3 instead of 5"),
        ({"attention": False}, "preset.architecture.attention True instead of False"),
        ({"top_db": None}, "preset.features.top_db 80.0 instead of None"),
    ],
)
def test_another_run_in_the_same_folder_is_refused(
    change: dict[str, Any], named: str, tiny_run: TrainingRun, trained_run: Path
):
    fields = {field.name for field in dataclasses.fields(TrainingRun)}
    own = {key: value for key, value in change.items() if key in fields}
    settings = {key: value for key, value in change.items() if key not in fields}
    other = dataclasses.replace(tiny_run, preset=tiny_run.preset.with_settings(settings), **own)
    with pytest.raises(ConfigurationError) as refusal:
        train(other, trained_run)
    assert named in str(refusal.value)
    assert str(trained_run) in str(refusal.value)


def test_a_moved_corpus_is_the_same_run(tiny_run: TrainingRun, trained_run: Path, tmp_path: Path):
    """And its test subset is then looked for where the corpus is now."""
    out = shutil.copytree(trained_run, tmp_path / "run")
    recorded = json.loads((out / "config.json").read_text())
    moved = dataclasses.replace(tiny_run, data=str(tmp_path / "elsewhere" / "manifest.csv"))
    train(moved, out)
    assert read_run(out) == moved
    recorded["run"]["data"] = moved.data
    assert json.loads((out / "config.json").read_text()) == recorded
    # The folder of the corpus is moved after, so that only the new one can be meant.
    old = Path(tiny_run.data or "").parent
    shutil.copytree(old, tmp_path / "elsewhere")
    assert len(results.test_subset(read_run(out), out)) == 8


def test_a_training_that_diverges_leaves_its_history_and_no_model(
    tiny_run: TrainingRun, tmp_path: Path
):
    preset = tiny_run.preset.with_settings({"learning_rate": 1e30})
    run = dataclasses.replace(tiny_run, preset=preset)
    with pytest.raises(
        DivergenceError, match=r"train: expected a finite loss, found (nan|inf) in epoch \d; "
    ):
        train(run, tmp_path)
    assert not (tmp_path / "model.keras").exists()
    assert not list(tmp_path.glob("backup/*"))
    assert not math.isfinite(read_history(tmp_path / "history.csv")[-1]["loss"])


def test_a_split_without_a_test_subset_is_named(trained_run: Path, tmp_path: Path):
    text = (trained_run / "split.csv").read_text().replace("test,", "train,")
    (tmp_path / "split.csv").write_text(text)
    with pytest.raises(CorpusError, match=r"split\.csv: expected a test subset, found train"):
        results.test_subset(read_run(trained_run), tmp_path)


def test_a_killed_run_resumes_when_its_corpus_has_moved(
    tiny_run: TrainingRun, trained_run: Path, tmp_path: Path
):
    out = tmp_path / "run"
    out.mkdir()
    for name in ("config.json", "split.csv"):
        shutil.copy(trained_run / name, out)
    elsewhere = shutil.copytree(Path(tiny_run.data or "").parent, tmp_path / "elsewhere")
    moved = dataclasses.replace(tiny_run, data=str(elsewhere / "manifest.csv"))
    train(moved, out)
    assert read_run(out) == moved


def test_a_mistake_leaves_the_folder_free_for_the_right_command(
    tiny_run: TrainingRun, tmp_path: Path
):
    mistaken = dataclasses.replace(tiny_run, split="speaker", fold=9)
    with pytest.raises(ConfigurationError, match="fold"):
        train(mistaken, tmp_path)
    patches = tiny_run.preset.with_settings({"recognition_channels": (8,)})
    with pytest.raises(ConfigurationError, match="recognition_channels"):
        train(dataclasses.replace(tiny_run, preset=patches), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("change", ["added", "removed"])
def test_a_run_does_not_resume_with_a_corpus_that_changed(
    change: str, tiny_run: TrainingRun, manifest: Path, tmp_path: Path
):
    """Else utterances of the test subset could end up in the training subset."""
    own = manifest.with_name(f"manifest-{change}.csv")
    lines = manifest.read_text().splitlines()
    own.write_text("\n".join(lines[:-1] if change == "added" else lines))
    run = dataclasses.replace(tiny_run, data=str(own))
    splits.write(tmp_path / "split.csv", split_corpus(run))
    own.write_text("\n".join(lines if change == "added" else lines[:-1]))
    with pytest.raises(CorpusError, match=r"split\.csv"):
        train(run, tmp_path)
