"""Backups that a killed training goes on from, and epochs that repeat."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from ser_keras.files import OutputError
from ser_keras.model.settings import Preset
from ser_keras.model.vrnn import VRNN
from ser_keras.training import checkpoint
from tests.damage import flipped


@pytest.fixture
def backup_every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "BACKUP_EVERY", 0.0)


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


def backup(model: VRNN, folder: Path) -> checkpoint.Backup:
    saver = checkpoint.Backup(folder)
    saver.set_model(model)
    return saver


def restored(folder: Path, preset: Preset) -> tuple[VRNN, int]:
    fresh = VRNN(("a", "b"), preset, seed=2)
    fresh.compile()
    return fresh, checkpoint.restore(fresh, folder)


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


@pytest.mark.usefixtures("backup_every_epoch")
@pytest.mark.parametrize("damage", ["truncated", "empty", "flipped", "of another model"])
def test_a_damaged_backup_is_removed_and_said(
    damage: str,
    model: VRNN,
    tiny_preset: Preset,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    folder = tmp_path / "backup"
    saver = backup(model, folder)
    saver.on_epoch_end(7)
    before = (folder / "000008.npz").read_bytes()
    saver.on_epoch_end(9)
    content = (folder / "000010.npz").read_bytes()
    contents = {"truncated": content[: len(content) // 2], "flipped": flipped(content)}
    (folder / "000010.npz").write_bytes(contents.get(damage, b""))
    if damage == "of another model":
        np.savez(folder / "000010.npz", np.zeros(3))
    capsys.readouterr()

    (folder / "000008.npz").write_bytes(before)  # a kill left the one before
    fresh, epochs = restored(folder, tiny_preset)
    assert epochs == 8
    for ours, theirs in zip(fresh.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    (line,) = capsys.readouterr().err.splitlines()
    assert str(folder / "000010.npz") in line
    assert "expected" in line
    assert [path.name for path in folder.iterdir()] == ["000008.npz"]

    (folder / "000008.npz").write_bytes(before[:-100])
    fresh, epochs = restored(folder, tiny_preset)
    initial = VRNN(("a", "b"), tiny_preset, seed=2)
    assert epochs == 0
    assert "000008.npz" in capsys.readouterr().err
    for ours, theirs in zip(fresh.get_weights(), initial.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_backups_are_some_time_apart(model: VRNN, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
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


def test_seeds_and_order_are_functions_of_seed_and_epoch(model: VRNN):
    def drawn(seed: int, epoch: int) -> tuple[int, list[list[int]]]:
        counter = tf.Variable(99, dtype=tf.int64)
        callback = checkpoint.RepeatableEpochs(seed, counter)
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
