"""The files that TF Serving, Docker and Kubernetes need beside a model to serve it.

The texts are in `templates/`. A file that is there already is kept, since people edit these files;
only `models.config` changes: a model that it does not name is added behind the others, and labels
are set.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

from ser_keras import files
from ser_keras.export.serving.tf_serving import config_text, model_config
from ser_keras.fields import require

_TEMPLATES = Path(__file__).parent / "templates"
_BATCHING = "batching_parameters.txt"


def write(model: Path, labels: Mapping[str, int] | None = None) -> list[Path]:
    """Write the bundle beside a model's folder NAME; return the files that are new or changed.

    Args:
        model: the folder.
        labels: labels to give to versions of the model, each taken from the version that had it.

    Raises:
        ConfigurationError: `models.config` cannot be parsed, or a label holds a slash or a colon.
        OutputError: the folder cannot be written to.

    Example:
        >>> Path("bundle").mkdir()
        >>> [path.name for path in export.serving_bundle("bundle/vrnn")]
        ['models.config', 'batching_parameters.txt', 'compose.yaml', 'kserve-vrnn.yaml', ...]
    """
    model = _absolute(model)
    models = _models_with(model, labels or {})
    texts = {} if models is None else {model.parent / model_config.FILE: models}
    for template in sorted(_TEMPLATES.iterdir()):
        path, text = model.parent / template.name, template.read_text("utf-8")
        if template.name == "kserve.yaml":
            path, text = model.parent / f"kserve-{model.name}.yaml", _kserve(text, model.name)
        if not path.exists():
            texts[path] = text
    for path, text in texts.items():
        files.write_text(path, text)
    _warn_of_sizes(model.parent / _BATCHING)
    return list(texts)


def check(model: Path, labels: Mapping[str, int] | None = None) -> None:
    """Check, before a model is written, that `write` will be able to add it; raise as `write` does.

    Example:
        >>> check(Path("served/vrnn"))
        >>> check(Path("served/vrnn"), {"a/b": 1})
        Traceback (most recent call last):
        ser_keras.errors.ConfigurationError: label: expected no slash and no colon, found 'a/b'
    """
    _models_with(_absolute(model), labels or {})


def _warn_of_sizes(path: Path) -> None:
    """Warn of a line that an earlier export wrote, and that an empty request can use."""
    lines = path.read_text("utf-8", "replace").splitlines()
    if any(line.strip().startswith("allowed_batch_sizes") for line in lines):
        print(
            f"{path}: expected no allowed_batch_sizes, with which a request without instances ends "
            "TensorFlow Serving, found some: remove the line",
            file=sys.stderr,
        )


def _absolute(model: str | os.PathLike[str]) -> Path:
    # "." has neither name nor parent; a symbolic link keeps its own, under which it is served.
    return Path(os.path.abspath(model))  # noqa: PTH100


def _models_with(model: Path, labels: Mapping[str, int]) -> str | None:
    """Return `models.config` with a model and its labels; None where they are in it."""
    for label in labels:
        # TF Serving's paths have no place for them.
        require(bool(re.fullmatch(r"[^/:\"\\]+", label)), "label", label, "no slash and no colon")
    text, config = model_config.parse(model.parent / model_config.FILE)
    configs = {one.name: one for one in config.model_config_list.config}
    found, changed = configs.get(model.name), text
    if found is None:
        changed = config_text.add_model(text, model.name, f"/models/{model.name}")
    for label, version in labels.items():
        if found is None or not _is_labeled(found, label, version):
            changed = config_text.set_label(changed, model.name, label, version)
    return None if changed == text else changed


def _is_labeled(config: Any, label: str, version: int) -> bool:
    """Whether a version has a label, and a policy by which it goes on being served."""
    if label not in config.version_labels or config.version_labels[label] != version:
        return False
    policy = config.model_version_policy
    chosen = policy.specific.versions if policy.HasField("specific") else [version]
    return config.HasField("model_version_policy") and version in chosen


def _kserve(template: str, name: str) -> str:
    # Kubernetes allows these letters and 63 of them, of which KServe needs some.
    service = re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-")[:50] or "model"
    base_path = json.dumps(f"--model_base_path=/mnt/models/{name}")
    return Template(template).substitute(service=service, model_base_path=base_path)
