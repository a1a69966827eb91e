"""SavedModels in TF Serving's layout, NAME/VERSION/, that load with nothing but TensorFlow."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from os import PathLike
from pathlib import Path

import tensorflow as tf

from ser_keras.errors import ConfigurationError
from ser_keras.export.graph.description import describe
from ser_keras.export.graph.explanation import Explanation
from ser_keras.export.graph.signatures import signatures
from ser_keras.export.serving.tf_serving import warm_up
from ser_keras.model.vrnn import VRNN


def saved_model(model: VRNN, path: str | PathLike[str]) -> Path:
    """Export a model with the signatures of `ser_keras.export.graph.signatures`.

    Sound, features, standardisation and model are one graph of TensorFlow core operations. Among
    the assets are `labels.txt`, an emotion a line, and `description.json` (see
    `description.describe`); requests to warm up with lie where TF Serving looks for them.

    The version appears complete or not at all: it is written beside and then renamed.

    Args:
        model: a trained model.
        path: NAME/VERSION, VERSION a number; or NAME alone, for the number after its last one.

    Returns:
        The folder of the version.

    Raises:
        ConfigurationError: the version exists, or cannot be written there.
    """
    version = version_folder(Path(path))
    try:
        version.parent.mkdir(parents=True, exist_ok=True)
        with _beside(version) as folder:
            _write(model, folder / "model", folder)
            requests = warm_up.requests(describe(model))
            warm_up.write(folder / "model" / warm_up.PLACE, version.parent.name, requests)
            (folder / "model").rename(version)
    except (OSError, tf.errors.OpError) as error:
        raise ConfigurationError(f"{version}: cannot be written ({error})") from error
    return version


def version_folder(path: Path) -> Path:
    """The folder NAME/VERSION that a path given by a user means, absolute.

    Raises:
        ConfigurationError: the version exists, or is not a version that TF Serving reads.
    """
    # "." has neither name nor parent; a link keeps its own.
    path = Path(os.path.abspath(path))  # noqa: PTH100
    if not _is_version(path.name):
        return path / str(1 + max(versions(path), default=0))
    # A name may begin with zeros: 7 is 0007.
    if path.exists() or int(path.name) in versions(path.parent):
        raise ConfigurationError(
            f"{path}: version {path.name} exists; expected a new number, or {path.parent} alone "
            "for the next one"
        )
    return path


def versions(name: Path) -> list[int]:
    """The versions in a model's folder, ascending; none where there is no folder."""
    if not name.is_dir():
        return []
    return sorted(int(entry.name) for entry in name.iterdir() if _is_version(entry.name))


def _is_version(text: str) -> bool:
    return text.isascii() and text.isdigit()


@contextlib.contextmanager
def _beside(version: Path) -> Iterator[Path]:
    """A folder that no server takes for a version, on the same file system; removed at the end."""
    with tempfile.TemporaryDirectory(
        prefix=f".{version.name}-", suffix=".partial", dir=version.parent
    ) as folder:
        yield Path(folder)


def _write(model: VRNN, folder: Path, scratch: Path) -> None:
    """Write the SavedModel; its assets are made in another folder and copied by TensorFlow."""
    labels = scratch / "labels.txt"
    labels.write_text("".join(f"{label}\n" for label in model.classes), encoding="utf-8")
    description = scratch / "description.json"
    text = json.dumps(describe(model), indent=2, ensure_ascii=False)
    description.write_text(f"{text}\n", encoding="utf-8")

    module = Explanation(model)
    # Of Keras the file holds nothing: neither its objects nor a name that would need it to load.
    module.weights = [weight.value for weight in model.weights]
    module.assets = [tf.saved_model.Asset(str(labels)), tf.saved_model.Asset(str(description))]
    tf.saved_model.save(module, str(folder), signatures=signatures(model))
