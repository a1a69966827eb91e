"""What a training run leaves at the end of every epoch, and goes on from."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from ser_keras.files import OutputError
from ser_keras.model.settings import Preset
from ser_keras.model.vrnn import VRNN
from ser_keras.training import callbacks


@pytest.fixture
def backup_every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callbacks, "BACKUP_EVERY", 0.0)


@pytest.fixture
def model(tiny_preset: Preset) -> VRNN:
    """A compiled model whose optimiser has moved."""
    model = VRNN(("a", "b"), tiny_preset, seed=1)
    model.compile()
    generator = np.random.default_rng(0)
    model.optimizer.build(model.trainable_variables)
    model.optimizer.apply(
        [tf.constant(generator.normal(size=weight.shape), tf.float32)
         for weight in model.trainable_variables]
    )  # fmt: skip
    return model


def backup(model: VRNN, folder: Path) -> callbacks.Backup:
    saver = callbacks.Backup(folder)
    saver.set_model(model)
    return saver


def restored(folder: Path, preset: Preset) -> tuple[VRNN, int]:
    fresh = VRNN(("a", "b"), preset, seed=2)
    fresh.compile()
    return fresh, callbacks.restore(fresh, folder)


@pytest.mark.usefixtures("backup_every_epoch")
def test_a_backup_holds_weights_and_optimiser(model: VRNN, tiny_preset: Preset, tmp_path: Path):
    backup(model, tmp_path / "backup").on_epoch_end(4)
    other, epochs = restored(tmp_path / "backup", tiny_preset)
    assert epochs == 5  # epochs 0 to 4 are done
    for ours, theirs in zip(other.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    state = [variable.numpy() for variable in model.optimizer.variables]
    assert any(np.any(values) for values in state[2:])
    for ours, theirs in zip(other.optimizer.variables, state, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs)


@pytest.mark.usefixtures("backup_every_epoch")
def test_only_the_last_backup_stays(model: VRNN, tmp_path: Path):
    saver = backup(model, tmp_path / "backup")
    for epoch in (0, 1, 9, 10):
        saver.on_epoch_end(epoch)
    assert [path.name for path in (tmp_path / "backup").iterdir()] == ["000011.npz"]


@pytest.mark.usefixtures("backup_every_epoch")
def test_a_kill_while_saving_leaves_the_backup_before(
    model: VRNN, tiny_preset: Preset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    saver = backup(model, tmp_path / "backup")
    saver.on_epoch_end(2)

    def interrupted(path: Path, *arrays: np.ndarray) -> None:
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", interrupted)
        with pytest.raises(KeyboardInterrupt):
            saver.on_epoch_end(3)
    # Killed, it could not even have removed the half file.
    (tmp_path / "backup" / ".4711-000004.npz").write_bytes(b"half")
    assert restored(tmp_path / "backup", tiny_preset)[1] == 3


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, which Linux has")
@pytest.mark.usefixtures("backup_every_epoch")
def test_a_full_disk_is_an_error_and_the_backup_before_stays(
    model: VRNN, tiny_preset: Preset, tmp_path: Path
):
    saver = backup(model, tmp_path / "backup")
    saver.on_epoch_end(2)
    (tmp_path / "backup" / f".{os.getpid()}-000004.npz").symlink_to("/dev/full")
    with pytest.raises(OutputError, match=r"000004\.npz: cannot be written.*No space left"):
        saver.on_epoch_end(3)
    assert restored(tmp_path / "backup", tiny_preset)[1] == 3


@pytest.mark.usefixtures("backup_every_epoch")
def test_a_kill_before_the_older_backup_is_removed_costs_nothing(
    model: VRNN, tiny_preset: Preset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    saver = backup(model, tmp_path / "backup")
    saver.on_epoch_end(8)
    older = (tmp_path / "backup" / "000009.npz").read_bytes()
    saver.on_epoch_end(9)
    (tmp_path / "backup" / "000009.npz").write_bytes(older)
    assert restored(tmp_path / "backup", tiny_preset)[1] == 10


def test_backups_are_some_time_apart(model: VRNN, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    now = 100.0
    monkeypatch.setattr("ser_keras.training.callbacks.time.monotonic", lambda: now)
    saver = backup(model, tmp_path / "backup")
    saved = []
    for epoch in range(8):
        now += 4.0
        saver.on_epoch_end(epoch)
        saved.append([path.name for path in (tmp_path / "backup").glob("*")])
    assert saved[:2] == [[], []]
    assert saved[2:5] == [["000003.npz"]] * 3
    assert saved[5:] == [["000006.npz"]] * 3


def test_no_backup_is_a_beginning(tiny_preset: Preset, tmp_path: Path):
    assert restored(tmp_path / "backup", tiny_preset)[1] == 0


def history(path: Path, first: int = 0) -> callbacks.HistoryFile:
    file = callbacks.HistoryFile(path)
    file.on_epoch_begin(first)
    return file


def rows(path: Path) -> list[dict[str, Any]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_history_grows_by_a_row_an_epoch(tmp_path: Path):
    path = tmp_path / "history.csv"
    file = history(path)
    for epoch in range(3):
        file.on_epoch_begin(epoch)
        file.on_epoch_end(epoch, {"loss": 1.0 / (epoch + 3), "val_loss": 2.0})
        assert len(rows(path)) == epoch + 1
    assert [row["epoch"] for row in rows(path)] == ["0", "1", "2"]
    assert [float(row["loss"]) for row in rows(path)] == [1 / 3, 1 / 4, 1 / 5]  # not one bit lost
    assert callbacks.read_history(path) == [
        {"epoch": epoch, "loss": 1.0 / (epoch + 3), "val_loss": 2.0} for epoch in range(3)
    ]


@pytest.mark.parametrize("resumed", [0, 1, 3])
def test_a_resumed_history_has_every_epoch_once(resumed: int, tmp_path: Path):
    path = tmp_path / "history.csv"
    killed = history(path)
    for epoch in range(3):
        killed.on_epoch_end(epoch, {"loss": 9.0})
    again = history(path, resumed)
    for epoch in range(resumed, 5):
        again.on_epoch_begin(epoch)
        again.on_epoch_end(epoch, {"loss": 1.0})
    assert [row["epoch"] for row in rows(path)] == ["0", "1", "2", "3", "4"]
    assert [row["loss"] for row in rows(path)] == ["9.0"] * resumed + ["1.0"] * (5 - resumed)


def test_seeds_and_order_are_functions_of_seed_and_epoch(model: VRNN):
    def drawn(seed: int, epoch: int) -> tuple[int, list[list[int]]]:
        counter = tf.Variable(99, dtype=tf.int64)
        callback = callbacks.RepeatableEpochs(seed, counter)
        callback.set_model(model)
        for generator in model.cell.seed_generators:
            generator.next()  # whatever was drawn before
        callback.on_epoch_begin(epoch)
        states = [generator.state.numpy().tolist() for generator in model.cell.seed_generators]
        return int(counter), states

    assert drawn(1, 5) == drawn(1, 5)
    assert drawn(1, 5)[0] == 5
    different = [
        state for seed, epoch in ((1, 5), (1, 6), (2, 5)) for state in drawn(seed, epoch)[1]
    ]
    assert len(model.cell.seed_generators) == 4
    assert len({tuple(state) for state in different}) == 12


def test_the_last_epochs_are_plain_and_the_next_training_is_not(tiny_preset: Preset):
    """Whatever draws anew at every step moves its generator on, and only if it is asked."""
    model = VRNN("ab", tiny_preset.with_settings({"mixup": 0.3}), seed=0)
    model.compile()
    shape = (8, 3, *model.features.observation_shape)
    x, y = np.random.default_rng(0).normal(size=shape).astype(np.float32), np.arange(8) % 2
    assert model.mixup is not None
    state = model.mixup.seed_generator.state
    drawn = [int(state[1])]
    count = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: drawn.append(int(state[1])))
    model.fit(x, y, epochs=4, verbose=0, callbacks=[callbacks.PlainEpochs(2), count])
    assert drawn[0] < drawn[1] < drawn[2] == drawn[3] == drawn[4]
    # Resumed in the middle of the plain epochs, from which the model alone could not tell.
    model.fit(
        x, y, initial_epoch=3, epochs=4, verbose=0, callbacks=[callbacks.PlainEpochs(2), count]
    )
    assert drawn[5] == drawn[4]
    model.fit(x, y, verbose=0, callbacks=[count])
    assert drawn[6] > drawn[5]


@pytest.mark.parametrize(
    ("settings", "kinds"),
    [
        ({}, []),
        ({"schedule": "cosine"}, [callbacks.CosineSchedule]),
        (
            {"schedule": "cosine", "plain_epochs": 3},
            [callbacks.CosineSchedule, callbacks.PlainEpochs],
        ),
    ],
)
def test_a_preset_brings_its_own_callbacks(settings: dict[str, Any], kinds: list[type]):
    preset = Preset().with_settings(settings)
    assert [type(callback) for callback in callbacks.of_preset(preset)] == kinds


def test_progress_tells_now_and_then_and_the_last_epoch(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    now = 1000.0
    monkeypatch.setattr("ser_keras.training.callbacks.time.monotonic", lambda: now)
    progress = callbacks.Progress("run 1")
    progress.set_params({"epochs": 12})
    for epoch in range(4, 12):  # resumed: what others did is no measure of speed
        progress.on_epoch_begin(epoch)
        now += 3.0
        progress.on_epoch_end(epoch, {"loss": 2.0, "accuracy": 0.5, "kl": 7.0})
    captured = capsys.readouterr()
    assert not captured.out
    assert captured.err.splitlines() == [
        "run 1: epoch 5 of 12, loss 2.000, accuracy 0.500, 21 s left",
        "run 1: epoch 9 of 12, loss 2.000, accuracy 0.500, 9 s left",
        "run 1: epoch 12 of 12, loss 2.000, accuracy 0.500, 0 s left",
    ]


def test_history_is_complete_before_the_backup(tmp_path: Path):
    """Killed between the two, a run resumes from an epoch that the history has."""
    all_ = callbacks.for_training(tmp_path, "train", 0, tf.Variable(0, dtype=tf.int64), Preset())
    kinds = [type(callback) for callback in all_]
    assert kinds.index(callbacks.HistoryFile) < kinds.index(callbacks.Backup)
    assert keras.callbacks.TensorBoard in kinds
