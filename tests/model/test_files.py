"""Trained models on disk: what is saved answers the same, and nothing else is taken for one."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from ser_keras import corpora
from ser_keras.errors import ConfigurationError
from ser_keras.features import extraction
from ser_keras.files import OutputError
from ser_keras.model import files as model_files
from ser_keras.model.vrnn import VRNN
from ser_keras.training import pipeline
from tests.damage import flipped


@pytest.fixture(scope="module")
def model(trained_run: Path) -> VRNN:
    return model_files.load(trained_run)


def test_a_saved_model_answers_the_same(model: VRNN, manifest: Path, tmp_path: Path):
    path = tmp_path / "model.keras"
    model_files.save(model, path)
    assert [file.name for file in tmp_path.iterdir()] == ["model.keras"]
    again = model_files.load(path)
    assert (again.classes, again.preset) == (model.classes, model.preset)
    some = corpora.load("manifest", manifest)[:6]
    extracted = extraction.extract_corpus(some, model.features, progress=False)
    inputs, _ = next(iter(pipeline.batches(extracted)))
    ours, theirs = again(inputs), model(inputs)
    for name in theirs:
        np.testing.assert_array_equal(np.asarray(ours[name]), np.asarray(theirs[name]))


def test_a_folder_and_its_file_are_the_same_model(trained_run: Path, model: VRNN):
    by_file = model_files.load(str(trained_run / "model.keras"))
    for ours, theirs in zip(by_file.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_loading_runs_no_code(trained_run: Path):
    """A model is data: no pickle and no Lambda in it."""
    with zipfile.ZipFile(trained_run / "model.keras") as archive:
        assert set(archive.namelist()) == {"config.json", "metadata.json", "model.weights.h5"}


@pytest.mark.parametrize("name", ["nowhere", "nowhere.keras", "folder/without/a/run"])
def test_a_missing_model_is_named(name: str, tmp_path: Path):
    (tmp_path / "folder" / "without" / "a" / "run").mkdir(parents=True)
    with pytest.raises(ConfigurationError) as error:
        model_files.load(tmp_path / name)
    assert str(tmp_path / name) in str(error.value)
    assert "model.keras" in str(error.value)


def test_a_preset_is_not_a_trained_model():
    with pytest.raises(ConfigurationError, match="found a preset that comes without trained w"):
        model_files.load("ravdess")


@pytest.mark.parametrize("content", [b"", b"not a model", b"PK\x03\x04half a zip archive"])
def test_a_file_that_is_no_model_is_named(content: bytes, tmp_path: Path):
    path = tmp_path / "model.keras"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"model\.keras"):
        model_files.load(tmp_path)


@pytest.mark.parametrize("kept", [0.2, 0.99])
def test_a_truncated_model_is_named(kept: float, trained_run: Path, tmp_path: Path):
    content = (trained_run / "model.keras").read_bytes()
    (tmp_path / "model.keras").write_bytes(content[: int(kept * len(content))])
    with pytest.raises(ConfigurationError, match=r"model\.keras"):
        model_files.load(tmp_path)


def test_a_model_whose_weights_are_damaged_is_named(trained_run: Path, tmp_path: Path):
    path = tmp_path / "model.keras"
    with (
        zipfile.ZipFile(trained_run / "model.keras") as old,
        zipfile.ZipFile(path, "w") as new,
    ):
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, content[: len(content) // 2] if name.endswith(".h5") else content)
    with pytest.raises(ConfigurationError, match=r"model\.keras"):
        model_files.load(path)


def test_a_flipped_bit_in_the_weights_is_named(trained_run: Path, tmp_path: Path):
    """Keras would load it: it compares nothing with the archive's checksums."""
    content = (trained_run / "model.keras").read_bytes()
    (tmp_path / "model.keras").write_bytes(flipped(content))
    with pytest.raises(
        ConfigurationError, match=r"model\.keras: expected .*, found .*CRC"
    ) as error:
        model_files.load(tmp_path)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("config", ["{}", "[]", "null", '{"module": 1, "class_name": []}'])
def test_a_model_whose_description_is_another_is_named(
    config: str, trained_run: Path, tmp_path: Path
):
    path = tmp_path / "model.keras"
    with (
        zipfile.ZipFile(trained_run / "model.keras") as old,
        zipfile.ZipFile(path, "w") as new,
    ):
        for name in old.namelist():
            new.writestr(name, config if name == "config.json" else old.read(name))
    with pytest.raises(ConfigurationError, match=r"model\.keras: expected") as error:
        model_files.load(path)
    assert len(str(error.value).splitlines()) == 1


def test_a_model_that_unpacks_beyond_the_bound_is_refused(
    trained_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "model.keras"
    with (
        zipfile.ZipFile(trained_run / "model.keras") as old,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name))
        new.writestr("assets/zeros", bytes(10_000_000))
    assert model_files.load(path)
    monkeypatch.setattr(model_files, "MOST_UNPACKED", 10_000_000)
    monkeypatch.setattr("keras.saving.load_model", lambda _: pytest.fail("was unpacked"))
    with pytest.raises(ConfigurationError, match=r"model\.keras.*at most 10000000 bytes"):
        model_files.load(path)


def test_a_large_model_that_is_not_compressed_is_no_bomb(
    trained_run: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(model_files, "MOST_UNPACKED", 1000)
    assert model_files.load(trained_run)


def test_another_keras_model_is_named(tmp_path: Path):
    other = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    other.save(tmp_path / "other.keras")
    with pytest.raises(ConfigurationError, match="expected a VRNN, found a Sequential"):
        model_files.load(tmp_path / "other.keras")


def test_a_model_that_would_run_code_is_refused(tmp_path: Path):
    code = keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x)])
    code.save(tmp_path / "code.keras")
    with pytest.raises(ConfigurationError, match=r"code\.keras"):
        model_files.load(tmp_path / "code.keras")


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5")
def test_an_h5_file_is_refused(tmp_path: Path):
    """Old Keras ran code from these whatever safe_mode said."""
    other = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    other.save(tmp_path / "model.h5")
    with pytest.raises(ConfigurationError, match=r"model\.h5: expected a \.keras .* '\.h5'"):
        model_files.load(tmp_path / "model.h5")


def test_a_folder_named_like_a_preset_is_never_taken_for_it(
    trained_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Else the shipped weights would be evaluated in the place of one's own."""
    (tmp_path / "tiny").mkdir()
    monkeypatch.chdir(tmp_path)
    assert model_files.load("tiny").preset.name == "tiny"
    with pytest.raises(ConfigurationError, match=r"tiny.*holds model\.keras"):
        model_files.load(Path("tiny"))
    shutil.copy(trained_run / "model.keras", "tiny")
    with pytest.raises(ConfigurationError, match=r"expected \./tiny for the run"):
        model_files.load("tiny")
    own = model_files.load(trained_run)
    for own_folder in (Path("tiny"), "./tiny"):
        assert model_files.load(own_folder).classes == own.classes


def test_a_full_disk_keeps_the_model_that_was_there(model: VRNN, small_disk: Path):
    path = small_disk / "model.keras"
    path.write_bytes(b"the one before")
    (small_disk / "rest").write_bytes(b"x" * 40_000)
    with pytest.raises(OutputError, match=r"model\.keras") as error:
        model_files.save(model, path)
    assert "No space left" in str(error.value)
    assert path.read_bytes() == b"the one before"
    assert {file.name for file in small_disk.iterdir()} == {"model.keras", "rest"}
