"""SavedModels in TF Serving's layout, NAME/VERSION/, that load with nothing but TensorFlow."""

from __future__ import annotations

import os
import shutil
import tempfile
from os import PathLike
from pathlib import Path

import tensorflow as tf

from ser_keras import files
from ser_keras.errors import ConfigurationError
from ser_keras.export.graph.inference import describe
from ser_keras.export.graph.signatures import page_functions, signatures
from ser_keras.export.serving.tf_serving import warm_up
from ser_keras.model.vrnn import VRNN
from ser_keras.recognition.bulk import SoundBatch
from ser_keras.recognition.instants import SoundStep

_SAVED_MODEL = {"saved_model.pb", "fingerprint.pb", "variables", "assets", "assets.extra"}


def saved_model(model: VRNN, path: str | PathLike[str]) -> Path:
    """Export a model as a SavedModel with the signatures of `ser_keras.export.graph.signatures`.

    Sound, features, standardization and model are one graph of TensorFlow core operations. Among
    the assets are `labels.txt`, an emotion a line, and `description.json` (see
    `inference.describe`); the warm-up requests lie where TF Serving reads them.

    The version appears complete or not at all: it is written beside and then renamed.

    Args:
        model: a trained model.
        path: NAME/VERSION, VERSION a new number; or NAME alone, for the one after its last.

    Example:
        >>> folder = export.saved_model(model, "exported/vrnn")  # exported/vrnn/1
        >>> serve = tf.saved_model.load(folder).signatures["serving_default"]
        >>> serve(audio=tf.io.read_file(wav)[tf.newaxis])["probabilities"].shape
        TensorShape([1, 8])
    """
    version = version_folder(Path(path))
    _write_whole(model, version)
    return version


def saved_model_at(model: VRNN, path: str | PathLike[str]) -> None:
    """Export a model as `saved_model` does, to the very folder that is named, as Keras does.

    It replaces a SavedModel that is there.

    Raises:
        ConfigurationError: something else is there, or nothing can be written.

    Example:
        >>> saved_model_at(model, "saved")  # as model.export("saved") does
        >>> sorted(tf.saved_model.load("saved").signatures)[:2]
        ['features', 'mfcc']
    """
    folder = Path(os.path.abspath(path))  # noqa: PTH100  # a symbolic link keeps its own name
    found = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    if folder.is_file() or found - _SAVED_MODEL:
        raise ConfigurationError(
            f"{folder}: expected a new folder, or that of a SavedModel to replace, found "
            f"{min(found - _SAVED_MODEL, default='a file')}"
        )
    _write_whole(model, folder, replaced=True)


def _write_whole(model: VRNN, version: Path, replaced: bool = False) -> None:
    """Write a folder that appears complete or not at all, perhaps in place of one that is there."""
    try:
        version.parent.mkdir(parents=True, exist_ok=True)
        # TensorFlow copies the assets from where they are.
        with (
            tempfile.TemporaryDirectory() as scratch,
            # No server takes such a name for a version.
            files.replacing(version) as folder,
        ):
            _write(model, folder, Path(scratch))
            requests = warm_up.requests(describe(model))
            warm_up.write(folder / warm_up.PATH, version.parent.name, requests)
            if replaced:
                shutil.rmtree(version, ignore_errors=True)
    except (OSError, tf.errors.OpError) as error:
        raise ConfigurationError(f"{version}: cannot be written ({error})") from error


def version_folder(path: Path) -> Path:
    """Return the folder NAME/VERSION that a user's path stands for, absolute, and not there yet.

    Example:
        >>> version_folder(Path("nothing-there-yet")).name
        '1'
    """
    # Not resolve(): a symbolic link keeps its own name. "." has neither name nor parent.
    path = Path(os.path.abspath(path))  # noqa: PTH100
    if not _is_version(path.name):
        return path / str(1 + max(_versions(path), default=0))
    # A name may begin with zeros: 0007 is version 7.
    if path.exists() or int(path.name) in _versions(path.parent):
        raise ConfigurationError(
            f"{path}: expected a new version, or {path.parent} for the next one, "
            f"found that version {path.name} exists"
        )
    return path


def _versions(name: Path) -> list[int]:
    """The versions in a model's folder; none where there is no folder."""
    return [int(entry.name) for entry in name.glob("*") if _is_version(entry.name)]


def _is_version(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _write(model: VRNN, folder: Path, scratch: Path) -> None:
    """Write the SavedModel; TensorFlow copies its assets from the scratch folder."""
    labels = scratch / "labels.txt"
    files.write_text(labels, "".join(f"{label}\n" for label in model.classes))
    description = scratch / "description.json"
    files.write_json(description, describe(model))

    module = tf.Module()
    for name, function in page_functions(model).items():
        setattr(module, name, function)
    # `ser-keras batch` calls them: many recordings at once, and long ones step by step.
    module.batch = SoundBatch(model).function
    module.window = SoundStep(model).function
    # The variables of TensorFlow below Keras' own: nothing in the file needs Keras to load.
    module.weights = [weight.value for weight in model.weights]
    module.assets = [tf.saved_model.Asset(str(labels)), tf.saved_model.Asset(str(description))]
    tf.saved_model.save(module, str(folder), signatures=signatures(model))
