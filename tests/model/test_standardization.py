"""The standardization against NumPy, and files in which it still had its old name."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from ser_keras.model import presets
from ser_keras.model.standardization import Standardization
from ser_keras.model.vrnn import VRNN


def test_many_batches_are_learnt_as_one():
    data = np.random.default_rng(0).normal(-400, 3, (50, 4, 3)).astype(np.float32)
    data[..., 2] = 7  # never varies
    layer = Standardization()
    layer.build(data.shape)
    assert not layer.adapted
    layer.adapt([data[:1], data[1:1], data[1:20], data[20:]])
    assert layer.adapted
    np.testing.assert_allclose(layer.mean, data.mean((0, 1)), rtol=1e-5)
    np.testing.assert_allclose(layer.scale[:2], data.std((0, 1))[:2], rtol=1e-4)
    np.testing.assert_allclose(layer(data)[..., 2], 0)


def in_the_old_spelling(path: Path, old: Path) -> None:
    """Write a model's file as version 0.1 did, which called the layer `standardisation`."""
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(old, "w") as written:
        for name in archive.namelist():
            content = archive.read(name)
            if name.endswith(".h5"):
                memory = io.BytesIO(content)
                with h5py.File(memory, "r+") as weights:
                    weights.move("layers/standardization", "layers/standardisation")
                content = memory.getvalue()
            written.writestr(name, content)


@pytest.mark.parametrize("name", ["ravdess", "tiny"])
def test_files_of_version_0_1_load_with_the_same_answers(name: str, tmp_path: Path):
    model = VRNN(("calm", "angry"), presets.get(name), seed=0)
    shape = (2, 3, *model.features.observation_shape)
    observations = np.random.default_rng(0).normal(2, 3, shape).astype(np.float32)
    model.adapt([observations])
    model.save(tmp_path / "new.keras")
    in_the_old_spelling(tmp_path / "new.keras", tmp_path / "old.keras")
    again = keras.saving.load_model(tmp_path / "old.keras")
    assert again.adapted
    np.testing.assert_array_equal(again.standardization.mean, model.standardization.mean)
    np.testing.assert_array_equal(again(observations)["logits"], model(observations)["logits"])
