"""Callbacks that change a training over its epochs, and report its progress."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from ser_keras.model.settings import Preset
from ser_keras.model.vrnn import VRNN
from ser_keras.training import callbacks, checkpoint
from ser_keras.training.history import HistoryFile


def test_the_last_epochs_are_plain_and_the_next_training_is_not(tiny_preset: Preset):
    """Whatever draws anew at every step moves its generator on, and only if it is asked."""
    preset = tiny_preset.with_settings({"mixup": 0.3, "plain_epochs": 2})
    model = VRNN(("a", "b"), preset, seed=0)
    model.compile()
    shape = (8, 3, *model.features.observation_shape)
    x, y = np.random.default_rng(0).normal(size=shape).astype(np.float32), np.arange(8) % 2
    assert model.mixup is not None
    state = model.mixup.seed_generator.state
    drawn = [int(state[1])]
    count = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: drawn.append(int(state[1])))
    model.fit(x, y, epochs=4, verbose=0, callbacks=[*callbacks.of_preset(preset), count])
    assert drawn[0] < drawn[1] < drawn[2] == drawn[3] == drawn[4]
    # Resumed in the middle of the plain epochs, from which the model alone could not tell.
    model.fit(
        x, y, initial_epoch=3, epochs=4, verbose=0, callbacks=[*callbacks.of_preset(preset), count]
    )
    assert drawn[5] == drawn[4]
    model.fit(x, y, verbose=0, callbacks=[count])
    assert drawn[6] > drawn[5]


@pytest.mark.parametrize(
    ("settings", "kinds"),
    [
        ({}, []),
        ({"schedule": "cosine"}, ["LearningRateScheduler"]),
        ({"schedule": "cosine", "plain_epochs": 3}, ["LearningRateScheduler", "_PlainEpochs"]),
    ],
)
def test_a_preset_brings_its_own_callbacks(settings: dict[str, Any], kinds: list[str]):
    preset = Preset().with_settings(settings)
    assert [type(callback).__name__ for callback in callbacks.of_preset(preset)] == kinds


@pytest.mark.usefixtures("eagerly")
def test_an_epochs_learning_rate_is_that_of_its_middle_also_when_resumed(tiny_preset: Preset):
    preset = tiny_preset.with_settings({"schedule": "cosine", "learning_rate": 0.01, "epochs": 5})
    model = VRNN(("a", "b"), preset, seed=0)
    model.compile()
    shape = (4, 2, *model.features.observation_shape)
    x, y = np.random.default_rng(0).normal(size=shape).astype(np.float32), np.arange(4) % 2

    def rates(first: int) -> list[float]:
        fitted = model.fit(
            x, y, initial_epoch=first, epochs=5, verbose=0, callbacks=callbacks.of_preset(preset)
        )
        return fitted.history["learning_rate"]

    decay = keras.optimizers.schedules.CosineDecay(0.01, decay_steps=5)
    expected = [float(decay(epoch + 0.5)) for epoch in range(5)]
    assert rates(0) == pytest.approx(expected, rel=1e-5)
    assert rates(3) == pytest.approx(expected[3:], rel=1e-5)


def test_progress_tells_now_and_then_and_the_last_epoch(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    progress = callbacks._Progress("run 1")
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
    assert kinds.index(HistoryFile) < kinds.index(checkpoint.Backup)
    assert keras.callbacks.TensorBoard in kinds
