"""The models of a folder that are to be served, in which versions and under which labels.

A folder that is absent, or a `models.config` that cannot be read or parsed, is a
`ConfigurationError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from google.protobuf import text_format

from ser_keras.errors import ConfigurationError
from ser_keras.export.serving.tf_serving.protocol import ModelServerConfig

FILE = "models.config"

Labels = Mapping[str, Mapping[str, int]]  # {model: {label: version}}


@dataclass(frozen=True)
class ModelConfig:
    """The versions of a model that are to be served: folders by number, numbers by label.

    Example:
        >>> ModelConfig({3: Path("served/vrnn/3")}, {"stable": 3}).labels["stable"]
        3
    """

    versions: Mapping[int, Path]
    labels: Mapping[str, int]


def version_folders(folder: Path) -> dict[int, Path]:
    """Return the versions in a model's folder, ascending, and the folder of each.

    A folder's name may begin with zeros, as in TF Serving's examples; where several names are one
    number, the shortest counts. A folder that cannot be read has no versions.

    Example:
        >>> for name in ("1", "0002", "10"):
        ...     Path("versions", name).mkdir(parents=True)
        ...     Path("versions", name, "saved_model.pb").touch()
        >>> list(version_folders(Path("versions")))
        [1, 2, 10]
    """
    found = [
        file.parent
        for file in folder.glob("*/saved_model.pb")
        if file.parent.name.isascii() and file.parent.name.isdigit()
    ]
    # Of one number the shortest name comes last, and stays in the dictionary.
    found.sort(key=lambda entry: (int(entry.name), -len(entry.name)))
    return {int(entry.name): entry for entry in found}


def find_models(
    folder: Path, latest: int | None = 1, labels: Labels | None = None
) -> dict[str, ModelConfig]:
    """Find the models to serve.

    Args:
        folder: holds NAME/VERSION/ for each model, or VERSION/ of only one; a policy for a model in
            the `models.config` in it decides which versions of that model are served.
        latest: number of newest versions to serve of models for which it has no policy; None serves
            all.
        labels: labels beside those of `models.config`.

    Example:
        >>> Path("empty").mkdir()
        >>> find_models(Path("empty"))
        {}
    """
    if not folder.is_dir():
        raise ConfigurationError(f"{folder}: expected a folder of NAME/VERSION/, found none")
    labels = labels or {}
    _, content = parse(folder / FILE)
    if versions := version_folders(folder):
        name = folder.resolve().name
        return {name: ModelConfig(_newest(versions, latest), labels.get(name, {}))}
    models = {
        entry.name: ModelConfig(_newest(versions, latest), labels.get(entry.name, {}))
        for entry in sorted(folder.iterdir())
        if not entry.name.startswith(".") and (versions := version_folders(entry))
    }
    for config in content.model_config_list.config:
        # base_path is a path in TF Serving's container: the same folder, its last name, is here.
        versions = version_folders(folder / (PurePosixPath(config.base_path).name or config.name))
        policy = config.model_version_policy
        if policy.specific.versions:
            wanted = versions.keys() & set(policy.specific.versions)
            versions = {number: versions[number] for number in sorted(wanted)}
        elif not config.HasField("model_version_policy"):
            versions = _newest(versions, latest)
        elif not policy.HasField("all"):
            versions = _newest(versions, max(policy.latest.num_versions, 1))
        own = dict(config.version_labels) | dict(labels.get(config.name, {}))
        models[config.name] = ModelConfig(versions, own)
    return models


def _newest(versions: Mapping[int, Path], count: int | None) -> dict[int, Path]:
    return dict(list(versions.items())[-count if count else None :])


def parse(path: Path) -> tuple[str, Any]:
    """Return the text of a `models.config` and its message; both empty where there is no file.

    Example:
        >>> _ = Path("my.config").write_text('model_config_list { config { name: "vrnn" } }')
        >>> parse(Path("my.config"))[1].model_config_list.config[0].name
        'vrnn'
    """
    if not path.exists():
        return "", ModelServerConfig()
    try:
        text = path.read_text("utf-8")
        return text, text_format.Parse(text, ModelServerConfig(), allow_unknown_field=True)
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        problem = f"{path}: expected a ModelServerConfig, found another text ({error})"
        raise ConfigurationError(problem) from error
