"""Which models of a folder are served, in which versions and under which labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from google.protobuf import text_format

from ser_keras.errors import ConfigurationError
from ser_keras.export.serving.tf_serving.protocol import ModelServerConfig

FILE = "models.config"
SAVED_MODEL = "saved_model.pb"


@dataclass(frozen=True)
class ModelConfig:
    """A model to serve.

    Args:
        name: as clients call it.
        folder: where its versions lie.
        latest: how many of the newest versions; None serves all.
        specific: these versions instead, where there are any.
        labels: versions by name.
    """

    name: str
    folder: Path
    latest: int | None = 1
    specific: tuple[int, ...] = ()
    labels: Mapping[str, int] = field(default_factory=dict)

    def wanted(self) -> dict[int, Path]:
        """The versions on disk that are to be served, ascending, and the folder of each."""
        folders = version_folders(self.folder)
        found = list(folders)
        if self.specific:
            found = [number for number in found if number in self.specific]
        elif self.latest is not None:
            found = found[-self.latest :]
        return {number: folders[number] for number in found}


def versions(folder: Path) -> list[int]:
    """The versions in a model's folder, ascending; none where it cannot be read."""
    return list(version_folders(folder))


def version_folders(folder: Path) -> dict[int, Path]:
    """The versions in a model's folder, ascending, and the folder of each.

    A name may begin with zeros, as TF Serving's examples do; where several names are one number,
    the shortest counts.
    """
    try:
        entries = list(folder.iterdir())
    except OSError:
        return {}
    found = [
        entry
        for entry in entries
        if entry.name.isascii() and entry.name.isdigit() and (entry / SAVED_MODEL).is_file()
    ]
    # Of one number the shortest name comes last, and stays.
    found.sort(key=lambda entry: (int(entry.name), -len(entry.name)))
    return {int(entry.name): entry for entry in found}


class ConfigSource:
    """Finds the models to serve; called again, it tells what has changed.

    Args:
        folder: holds a folder per model, NAME/VERSION/, and perhaps `models.config`, which then
            says versions and labels as it says them to TF Serving. May be one model's folder, too.
        latest: of models that `models.config` does not name: how many of the newest versions, None
            for all.
        labels: of the same models: {name: {label: version}}.

    Raises:
        ConfigurationError: it is no folder, or `models.config` cannot be understood.
    """

    def __init__(
        self,
        folder: Path,
        latest: int | None = 1,
        labels: Mapping[str, Mapping[str, int]] | None = None,
    ) -> None:
        self._folder = folder
        self._latest = latest
        self._labels = labels or {}
        if not folder.is_dir():
            raise ConfigurationError(f"{folder}: found no folder, expected NAME/VERSION/ in one")
        self._read()

    def __call__(self) -> dict[str, ModelConfig]:
        """The models, by name."""
        if versions(self._folder):
            name = self._folder.resolve().name
            return {name: self._plain(name, self._folder)}
        found = {
            entry.name: self._plain(entry.name, entry)
            for entry in sorted(self._folder.iterdir())
            if entry.is_dir() and not entry.name.startswith(".") and versions(entry)
        }
        return {**found, **self._read()}

    def _plain(self, name: str, folder: Path) -> ModelConfig:
        return ModelConfig(name, folder, self._latest, (), dict(self._labels.get(name, {})))

    def _read(self) -> dict[str, ModelConfig]:
        """The models of `models.config`; none where there is no such file."""
        path = self._folder / FILE
        if not path.is_file():
            return {}
        try:
            content = text_format.Parse(
                path.read_text("utf-8"), ModelServerConfig(), allow_unknown_field=True
            )
        except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
            raise ConfigurationError(f"{path}: expected a ModelServerConfig ({error})") from error
        found = [self._configured(one) for one in content.model_config_list.config]
        return {config.name: config for config in found}

    def _configured(self, config: Any) -> ModelConfig:
        # base_path is a path in TF Serving's container: the same folder, its last part, is here.
        folder = self._folder / (PurePosixPath(config.base_path).name or config.name)
        policy = config.model_version_policy
        choice = policy.WhichOneof("policy_choice")
        return ModelConfig(
            config.name,
            folder,
            None if choice == "all" else max(policy.latest.num_versions, 1),
            tuple(policy.specific.versions),
            dict(config.version_labels) | dict(self._labels.get(config.name, {})),
        )
