"""The models of a folder that are to be served, in which versions and under which labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from google.protobuf import text_format

from ser_keras.errors import ConfigurationError
from ser_keras.export.serving.tf_serving.protocol import ModelServerConfig

FILE = "models.config"
_SAVED_MODEL = "saved_model.pb"

Labels = Mapping[str, Mapping[str, int]]  # {model: {label: version}}


@dataclass(frozen=True)
class ModelConfig:
    """A model to serve.

    Args:
        name: the name that clients use.
        folder: the folder of its versions.
        latest: number of newest versions to serve; None serves all.
        specific: versions to serve instead, where there are any.
        labels: versions by label.

    Example:
        >>> ModelConfig("vrnn", Path("served/vrnn")).wanted()  # nothing there yet
        {}
    """

    name: str
    folder: Path
    latest: int | None = 1
    specific: tuple[int, ...] = ()
    labels: Mapping[str, int] = field(default_factory=dict)

    def wanted(self) -> dict[int, Path]:
        """Return the versions on disk that are to be served, ascending, and their folders."""
        folders = version_folders(self.folder)
        found = list(folders)
        if self.specific:
            found = [number for number in found if number in self.specific]
        elif self.latest is not None:
            found = found[-self.latest :]
        return {number: folders[number] for number in found}


def version_folders(folder: Path) -> dict[int, Path]:
    """Return the versions in a model's folder, ascending, and the folder of each.

    A folder's name may begin with zeros, as in TF Serving's examples; where several names are one
    number, the shortest counts. A folder that cannot be read has no versions.

    Example:
        >>> for name in ("1", "0002", "10"):
        ...     Path("vrnn", name).mkdir(parents=True)
        ...     Path("vrnn", name, "saved_model.pb").touch()
        >>> list(version_folders(Path("vrnn")))
        [1, 2, 10]
    """
    try:
        entries = list(folder.iterdir())
    except OSError:
        return {}
    found = [
        entry
        for entry in entries
        if entry.name.isascii() and entry.name.isdigit() and (entry / _SAVED_MODEL).is_file()
    ]
    # Of one number the shortest name comes last, and stays in the dictionary.
    found.sort(key=lambda entry: (int(entry.name), -len(entry.name)))
    return {int(entry.name): entry for entry in found}


def find_models(
    folder: Path, latest: int | None = 1, labels: Labels | None = None
) -> dict[str, ModelConfig]:
    """Find the models to serve.

    Args:
        folder: holds NAME/VERSION/ for each model, or VERSION/ of only one; `models.config` in it
            decides about the models that it names.
        latest: number of newest versions to serve of the other models; None serves all.
        labels: labels beside those of `models.config`.

    Raises:
        ConfigurationError: there is no such folder, or `models.config` cannot be parsed.

    Example:
        >>> Path("served").mkdir()
        >>> find_models(Path("served"))
        {}
    """
    if not folder.is_dir():
        raise ConfigurationError(f"{folder}: expected a folder of NAME/VERSION/, found none")
    labels = labels or {}

    def plain(name: str, place: Path) -> ModelConfig:
        return ModelConfig(name, place, latest, labels=labels.get(name, {}))

    _, content = parse(folder / FILE)
    if version_folders(folder):
        name = folder.resolve().name
        return {name: plain(name, folder)}
    found = {
        entry.name: plain(entry.name, entry)
        for entry in sorted(folder.iterdir())
        if not entry.name.startswith(".") and version_folders(entry)
    }
    for config in content.model_config_list.config:
        found[config.name] = _configured(config, folder, labels)
    return found


def _configured(config: Any, folder: Path, labels: Labels) -> ModelConfig:
    # base_path is a path in TF Serving's container: the same folder, its last name, is here.
    policy = config.model_version_policy
    return ModelConfig(
        config.name,
        folder / (PurePosixPath(config.base_path).name or config.name),
        None if policy.HasField("all") else max(policy.latest.num_versions, 1),
        tuple(policy.specific.versions),
        dict(config.version_labels) | dict(labels.get(config.name, {})),
    )


def parse(path: Path) -> tuple[str, Any]:
    """Read a `models.config`.

    Returns:
        Its text, and the ModelServerConfig; both empty where there is no file.

    Raises:
        ConfigurationError: the file cannot be read or parsed.

    Example:
        >>> _ = Path("models.config").write_text('model_config_list { config { name: "vrnn" } }')
        >>> parse(Path("models.config"))[1].model_config_list.config[0].name
        'vrnn'
    """
    if not path.exists():
        return "", ModelServerConfig()
    try:
        text = path.read_text("utf-8")
        return text, text_format.Parse(text, ModelServerConfig(), allow_unknown_field=True)
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        raise ConfigurationError(
            f"{path}: expected a ModelServerConfig, found another text ({error})"
        ) from error
