"""Training that begins with a trained model."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from ser_keras.commands import main as cli
from ser_keras.errors import ConfigurationError
from ser_keras.model import files as model_files
from ser_keras.model.vrnn import VRNN
from ser_keras.training import checkpoint, fine_tuning
from ser_keras.training.run import TrainingRun
from ser_keras.training.train import train


@pytest.fixture
def further(tiny_run: TrainingRun, trained_run: Path) -> TrainingRun:
    """Two more epochs of the model in `trained_run`."""
    preset = fine_tuning.preset_for(str(trained_run), {"epochs": "2"})
    return dataclasses.replace(tiny_run, preset=preset, pretrained=str(trained_run))


def weights_of(model: VRNN) -> dict[str, np.ndarray]:
    names = [weight.path.partition("/")[2].removeprefix("scan/") for weight in model.weights]
    return dict(zip(names, (weight.numpy() for weight in model.weights), strict=True))


def test_the_preset_is_the_models_at_a_lower_rate(trained_run: Path):
    trained = model_files.load(trained_run).preset
    chosen = fine_tuning.preset_for(str(trained_run), {"epochs": "2"})
    rates = [preset.optimization.learning_rate for preset in (chosen, trained)]
    assert rates[0] == pytest.approx(fine_tuning.RATE * rates[1])
    same = {"learning_rate": rates[1], "epochs": trained.optimization.epochs}
    assert chosen.with_settings(same) == trained
    faster = fine_tuning.preset_for(str(trained_run), {"learning_rate": "0.5"})
    assert faster.optimization.learning_rate == 0.5


@pytest.mark.usefixtures("eagerly")
def test_training_goes_on_from_the_weights_and_leaves_frozen_parts_alone(
    further: TrainingRun, trained_run: Path, tmp_path: Path
):
    frozen = dataclasses.replace(further, frozen=("recognition", "posterior"))
    found = weights_of(train(frozen, tmp_path / "frozen"))
    before = weights_of(model_files.load(trained_run))
    changed = {name for name in before if not np.array_equal(found[name], before[name])}
    assert changed, "something is learnt"
    kept = ("cell/recognition/", "cell/posterior/", "standardization/")
    assert not [name for name in changed if any(part in name for part in kept)]
    # Saved and loaded, it is an ordinary model: all of it can be trained.
    assert model_files.load(tmp_path / "frozen").cell.recognition.trainable
    config = json.loads((tmp_path / "frozen" / "config.json").read_text())["run"]
    assert (config["pretrained"], config["frozen"]) == (
        str(trained_run), ["recognition", "posterior"],
    )  # fmt: skip


@pytest.mark.usefixtures("eagerly")
def test_the_smallest_of_steps_leave_the_model_as_it_was(
    further: TrainingRun, trained_run: Path, tmp_path: Path
):
    still = further.preset.with_settings({"learning_rate": 1e-12, "weight_decay": 0.0})
    run = dataclasses.replace(further, preset=still, validation_fraction=0.0)
    found, before = weights_of(train(run, tmp_path)), weights_of(model_files.load(trained_run))
    before["cell/temperature"] = found["cell/temperature"]  # of a model without validation, 1
    for name, value in before.items():
        np.testing.assert_allclose(found[name], value, atol=1e-7, err_msg=name)


@pytest.mark.usefixtures("eagerly")
def test_it_resumes_where_it_was(
    further: TrainingRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(checkpoint, "BACKUP_EVERY", 0.0)
    whole = weights_of(train(further, tmp_path / "whole"))

    class Stopped(Exception):
        pass

    def stop(self: checkpoint.RepeatableEpochs, epoch: int, logs: object = None) -> None:
        if epoch == 1:
            raise Stopped
        original(self, epoch)

    original = checkpoint.RepeatableEpochs.on_epoch_begin
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.RepeatableEpochs, "on_epoch_begin", stop)
        with pytest.raises(Stopped):
            train(further, tmp_path / "again")
    again = weights_of(train(further, tmp_path / "again"))
    for name, value in whole.items():
        np.testing.assert_array_equal(again[name], value, err_msg=name)


def test_parts_that_are_not_there_are_refused(trained_run: Path):
    model = VRNN(("calm", "angry"), model_files.load(trained_run).preset)
    with pytest.raises(ConfigurationError, match=r"frozen: expected one of encoder, .* 'head'"):
        fine_tuning.begin(model, str(trained_run), ("head",))
    with pytest.raises(ConfigurationError, match="found encoder"):
        fine_tuning.begin(model, str(trained_run), ("encoder",))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--freeze", "encoder"], "--freeze: expected --from beside it, found none"),
        (["--from", "tiny", "--preset", "tiny"], "--preset: expected none beside --from"),
        (["--from", "nowhere"], "model nowhere: expected the folder of a run"),
        (["--from", "tiny", "--set", "latent_size=3"], "expected those that its trained weights"),
    ],
)
def test_the_command_says_what_cannot_be(
    words: list[str],
    message: str,
    manifest: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    data = ["--corpus", "manifest", "--data", str(manifest), "--set", "copies=0"]
    assert cli.main(["train", *data, *words, "--out", str(tmp_path / "run")]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run" / "config.json").exists()


@pytest.mark.usefixtures("eagerly")
def test_the_command_trains(
    manifest: Path, trained_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    words = ["--corpus", "manifest", "--data", str(manifest), "--from", str(trained_run)]
    words += ["--freeze", "generation", "--epochs", "1", "--out", str(tmp_path / "mine")]
    assert cli.main(["train", *words]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "mine" / "model.keras")
    preset = model_files.load(tmp_path / "mine").preset
    assert preset.features == model_files.load(trained_run).preset.features


def test_weights_of_several_corpora_say_nothing_of_the_copies_of_others():
    assert VRNN.from_preset("tiny").preset.augmentation.copies_of
    chosen = fine_tuning.preset_for("tiny", {"copies": 1}).augmentation
    assert (chosen.copies, chosen.copies_of) == (1, ())
    named = fine_tuning.preset_for("tiny", {"copies_of": "own:4"}).augmentation
    assert named.copies_in("own") == 4
