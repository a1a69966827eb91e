"""SavedModels have TF Serving's layout, appear whole, and load with nothing but TensorFlow."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from ser_keras import export
from ser_keras.errors import ConfigurationError
from ser_keras.export import saving as module
from ser_keras.model.vrnn import VRNN

# Run in a process of its own; prints the answer as JSON.
WITH_TENSORFLOW_ALONE = """
import json, sys

class Hiding:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {hidden}:
            return None
        return self.finder.find_spec(name, path, target)

sys.meta_path[:] = [Hiding(finder) for finder in sys.meta_path if hasattr(finder, "find_spec")]
import tensorflow as tf
signatures = tf.saved_model.load(sys.argv[1]).signatures
audio = open(sys.argv[2], "rb").read()
answer = signatures["serving_default"](audio=tf.constant([audio]))
print(json.dumps(answer["probabilities"].numpy().tolist()))
"""
NOT_TENSORFLOW = {
    "keras", "tf_keras", "tensorflow_probability", "librosa", "ser_keras", "soundfile", "soxr",
    "scipy",
}  # fmt: skip


def operations(folder: Path) -> set[str]:
    """The names of all operations in a SavedModel's graph and functions."""
    from tensorflow.core.protobuf import saved_model_pb2

    content = saved_model_pb2.SavedModel()
    content.ParseFromString((folder / "saved_model.pb").read_bytes())
    graph = content.meta_graphs[0].graph_def
    nodes = [*graph.node, *(node for item in graph.library.function for node in item.node_def)]
    return {node.op for node in nodes}


def test_it_loads_with_nothing_but_tensorflow(servable: Path, speech: list[Path]):
    script = WITH_TENSORFLOW_ALONE.format(hidden=NOT_TENSORFLOW)
    arguments = [sys.executable, "-c", script, str(servable), str(speech[0])]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    here = tf.saved_model.load(str(servable)).signatures["serving_default"](
        audio=tf.constant([speech[0].read_bytes()])
    )
    np.testing.assert_allclose(json.loads(done.stdout), here["probabilities"], atol=1e-6)


def test_the_graph_holds_core_operations_alone(servable: Path):
    registered = set(tf.raw_ops.__dict__) | {"VarHandleOp"}
    unknown = operations(servable) - registered
    assert not unknown
    assert not [name for name in operations(servable) if "PyFunc" in name or "::" in name]


def test_assets_hold_the_labels_and_the_description(servable: Path, model: VRNN):
    labels = (servable / "assets" / "labels.txt").read_text(encoding="utf-8")
    assert labels.splitlines() == list(model.classes)
    description = json.loads((servable / "assets" / "description.json").read_text("utf-8"))
    assert description["labels"] == list(model.classes)
    assert (description["sample_rate"], description["window"], description["hop"]) == (22050, 2, 1)
    assert description["state_size"] == 2 * (16 + 12 + 16) + 40 + 1


def test_its_permissions_are_those_of_the_umask(servable: Path):
    allowed = servable.parent.stat().st_mode & 0o077  # a folder made in the ordinary way
    assert servable.stat().st_mode & 0o077 == allowed


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch):
    """Write an empty version, since a real one takes seconds."""

    def write(model: VRNN, folder: Path, scratch: Path) -> None:
        folder.mkdir()
        (folder / "saved_model.pb").write_bytes(b"")

    monkeypatch.setattr(module, "_write", write)


@pytest.mark.usefixtures("quick")
def test_a_name_alone_means_its_next_version(model: VRNN, tmp_path: Path):
    name = tmp_path / "served" / "vrnn"
    assert export.saved_model(model, name) == name / "1"
    assert export.saved_model(model, name / "9") == name / "9"
    assert export.saved_model(model, name) == name / "10"
    assert {entry.name for entry in name.iterdir()} == {"1", "9", "10"}


@pytest.mark.usefixtures("quick")
def test_a_path_inside_the_models_folder_is_a_version_of_that_model(
    model: VRNN, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    name = tmp_path / "vrnn"
    name.mkdir()
    monkeypatch.chdir(name)
    assert export.saved_model(model, "1") == name / "1"
    assert export.saved_model(model, ".") == name / "2"
    monkeypatch.chdir(name / "1")
    assert export.saved_model(model, "..") == name / "3"
    assert export.saved_model(model, "../7") == name / "7"
    assert sorted(entry.name for entry in name.iterdir()) == ["1", "2", "3", "7"]
    with pytest.raises(ConfigurationError, match="version 1 exists"):
        export.saved_model(model, ".")


@pytest.mark.usefixtures("quick")
def test_a_version_that_exists_is_refused_and_kept(model: VRNN, tmp_path: Path):
    version = export.saved_model(model, tmp_path / "vrnn" / "3")
    (version / "mine").touch()
    with pytest.raises(ConfigurationError, match="version 3 exists"):
        export.saved_model(model, version)
    assert (version / "mine").exists()


@pytest.mark.usefixtures("quick")
def test_a_version_may_begin_with_zeros(model: VRNN, tmp_path: Path):
    version = export.saved_model(model, tmp_path / "vrnn" / "00000123")
    assert version.name == "00000123"
    with pytest.raises(ConfigurationError, match="found that version 123 exists"):
        export.saved_model(model, tmp_path / "vrnn" / "123")
    assert export.saved_model(model, tmp_path / "vrnn").name == "124"


def test_a_half_written_version_is_never_visible(
    model: VRNN, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    name = tmp_path / "vrnn"

    def write(model: VRNN, folder: Path, scratch: Path) -> None:
        folder.mkdir()
        assert not [entry for entry in name.iterdir() if entry.name.isdigit()]
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_write", write)
    with pytest.raises(ConfigurationError, match="No space left"):
        export.saved_model(model, name / "1")
    assert list(name.iterdir()) == []


@pytest.mark.usefixtures("quick")
def test_a_path_that_is_a_file_is_a_clear_error(model: VRNN, tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="cannot be written"):
        export.saved_model(model, tmp_path / "file" / "1")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        export.saved_model(model, tmp_path / "file")


def test_keras_own_export_writes_to_the_very_folder_and_again(
    model: VRNN, servable: Path, speech: list[Path], tmp_path: Path
):
    folder = tmp_path / "exported"
    for _ in range(2):
        model.export(folder)
    assert {entry.name for entry in tmp_path.iterdir()} == {"exported"}
    audio = tf.constant([speech[0].read_bytes()])
    found, expected = (
        tf.saved_model.load(path).signatures["serving_default"](audio=audio)["probabilities"]
        for path in (folder, servable)
    )
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.usefixtures("quick")
def test_keras_own_export_replaces_nothing_but_a_saved_model(model: VRNN, tmp_path: Path):
    (tmp_path / "notes.txt").touch()
    (tmp_path / "saved_model.pb").touch()
    with pytest.raises(ConfigurationError, match=r"expected a new folder.*found notes\.txt"):
        model.export(tmp_path)
    with pytest.raises(ConfigurationError, match=r"expected a new folder.*found a file"):
        model.export(tmp_path / "notes.txt")
    assert {entry.name for entry in tmp_path.iterdir()} == {"notes.txt", "saved_model.pb"}


def test_keras_own_export_names_what_it_cannot_do(model: VRNN, tmp_path: Path):
    with pytest.raises(
        ConfigurationError, match=r"format: expected tf_saved_model or litert, .*onnx"
    ):
        model.export(tmp_path / "new", format="onnx")
    with pytest.raises(
        ConfigurationError, match=r"input_signature; ser_keras\.export\.saved_model"
    ):
        model.export(tmp_path / "new", input_signature=[])
    assert not (tmp_path / "new").exists()
