"""The files that TF Serving, Docker and Kubernetes need beside a model to serve it.

The texts are in `templates/`. A file that is there already is kept, since people edit these files;
only `models.config` changes: a model that it does not name is added behind the others.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from string import Template

from google.protobuf import text_format

from ser_keras import files
from ser_keras.export.serving.tf_serving import model_config
from ser_keras.export.serving.tf_serving.protocol import ModelServerConfig

_TEMPLATES = Path(__file__).parent / "templates"
# A token of a protocol buffer's text form; comments and strings whole, for what is inside them.
_TOKEN = re.compile(r"""\#.*|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\w+|[{}<>]""", re.ASCII)


def write(model: Path) -> list[Path]:
    """Write the bundle beside a model's folder NAME; return the files that are new or changed.

    Raises:
        ConfigurationError: `models.config` cannot be parsed.
        OutputError: the folder cannot be written to.

    Example:
        >>> Path("bundle").mkdir()
        >>> [path.name for path in export.serving_bundle("bundle/vrnn")]
        ['models.config', 'batching_parameters.txt', 'compose.yaml', 'kserve-vrnn.yaml', ...]
    """
    model = _absolute(model)
    models = _models_with(model)
    texts = {} if models is None else {model.parent / model_config.FILE: models}
    for template in sorted(_TEMPLATES.iterdir()):
        path, text = model.parent / template.name, template.read_text("utf-8")
        if template.name == "kserve.yaml":
            path, text = model.parent / f"kserve-{model.name}.yaml", _kserve(text, model.name)
        if not path.exists():
            texts[path] = text
    for path, text in texts.items():
        files.write_text(path, text)
    return list(texts)


def check(model: Path) -> None:
    """Check, before a model is written, that `write` will be able to add it; raise as `write` does.

    Example:
        >>> check(Path("served/vrnn"))
    """
    _models_with(_absolute(model))


def _absolute(model: str | os.PathLike[str]) -> Path:
    # "." has neither name nor parent; a symbolic link keeps its own, under which it is served.
    return Path(os.path.abspath(model))  # noqa: PTH100


def _models_with(model: Path) -> str | None:
    """`models.config` with a model added; None where it is in it."""
    text, config = model_config.parse(model.parent / model_config.FILE)
    if any(served.name == model.name for served in config.model_config_list.config):
        return None
    added = ModelServerConfig()
    models = added.model_config_list
    models.config.add(
        name=model.name, base_path=f"/models/{model.name}", model_platform="tensorflow"
    )
    end = _end_of_list(text)
    if end is None:
        block, end = text_format.MessageToString(added), len(text)
    else:
        block = text_format.MessageToString(models, indent=2)
    before = text[:end].rstrip(" \t")
    return before + ("\n" if before[-1:] not in ("", "\n") else "") + block + text[len(before) :]


def _end_of_list(text: str) -> int | None:
    """Index of the bracket that closes `model_config_list`; None where there is no list.

    TF Serving refuses a second list, so that a model has to go into the one that is there. The text
    is edited rather than parsed and printed, which would lose comments and unknown fields.
    """
    depth, inside = 0, False
    for match in _TOKEN.finditer(text):
        found = match.group()
        if found in ("{", "<"):
            depth += 1
        elif found in ("}", ">"):
            depth -= 1
            if inside and not depth:
                return match.start()
        elif found == "model_config_list" and not depth:
            inside = True
    return None


def _kserve(template: str, name: str) -> str:
    # Kubernetes allows these letters and 63 of them, of which KServe needs some.
    service = re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-")[:50] or "model"
    return Template(template).substitute(
        service=service, storage=json.dumps(f"pvc://models/{name}")
    )
