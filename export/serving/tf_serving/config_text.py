"""Changes of the text of `models.config` that leave the rest of it as people wrote it.

Parsed and printed, it would lose its comments and the fields that `protocol` does not know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from google.protobuf import text_format

from ser_keras.errors import ConfigurationError
from ser_keras.export.serving.tf_serving.protocol import ModelServerConfig

# A token of a protocol buffer's text form; comments and strings whole, for what is inside them.
_TOKEN = re.compile(r"""\#.*|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\w+|[{}<>]""", re.ASCII)
_INDENT = 4 * " "


@dataclass(frozen=True)
class _Block:
    """A field whose value is in brackets: where its name, its content and its end are."""

    name: str
    begin: int
    content: int
    close: int  # of the closing bracket


def add_model(text: str, name: str, base_path: str) -> str:
    """Add a model behind the others, or begin the list of them.

    Example:
        >>> print(add_model("# ours", "vrnn", "/models/vrnn"))
        # ours
        model_config_list {
          config {
            name: "vrnn"
            base_path: "/models/vrnn"
            model_platform: "tensorflow"
          }
        }
        <BLANKLINE>
    """
    added = ModelServerConfig()
    models = added.model_config_list
    models.config.add(name=name, base_path=base_path, model_platform="tensorflow")
    # TF Serving refuses a second list, so that a model has to go into the one that is there.
    for block in _blocks(text, 0, len(text)):
        if block.name == "model_config_list":
            return _insert(text, block.close, text_format.MessageToString(models, indent=2))
    return _insert(text, len(text), text_format.MessageToString(added))


def set_label(text: str, model: str, label: str, version: int) -> str:
    """Give a version of a model a label, and take it from the version that had it.

    TF Serving answers by label only for versions that it serves, of which the newest is the only
    one unless a policy says otherwise: without one, all versions are to be served from now on; a
    policy of certain versions gets this one, too; any other stays.

    Raises:
        ConfigurationError: the model is not there, or written in a form that is not understood.

    Example:
        >>> text = 'model_config_list { config { name: "vrnn" base_path: "/models/vrnn" } }'
        >>> print(set_label(text, "vrnn", "stable", 1))
        model_config_list { config { name: "vrnn" base_path: "/models/vrnn"
            version_labels { key: "stable" value: 1 }
            model_version_policy { all {} }
        } }
    """
    for block in reversed(list(_inside(text, _model(text, model)))):
        if block.name == "version_labels" and _entry(text, block) == label:
            text = text[: block.begin].rstrip() + text[block.close + 1 :]
    found = _model(text, model)
    added = f'{_INDENT}version_labels {{ key: "{label}" value: {version} }}\n'
    policies = [
        policy
        for block in _inside(text, found)
        if block.name == "model_version_policy"
        for policy in _inside(text, block)
    ]
    if not policies:
        added += f"{_INDENT}model_version_policy {{ all {{}} }}\n"
    text = _insert(text, found.close, added)
    for policy in policies:
        served = re.findall(r"\bversions\s*:\s*(\d+)", text[policy.content : policy.close])
        if policy.name == "specific" and str(version) not in served:
            close = policy.close
            text = f"{text[:close].rstrip()} versions: {version} {text[close:]}"
    return text


def _model(text: str, name: str) -> _Block:
    """Find the block of a model."""
    for models in _blocks(text, 0, len(text)):
        for block in _inside(text, models):
            config = ModelServerConfig().model_config_list.config.add()
            text_format.Parse(text[block.content : block.close], config, allow_unknown_field=True)
            if config.name == name:
                return block
    raise ConfigurationError(f'models.config: expected config {{ name: "{name}" … }}, found none')


def _entry(text: str, block: _Block) -> str:
    """Return the key of an entry of `version_labels`."""
    config = ModelServerConfig().model_config_list.config.add()
    text_format.Parse(f"version_labels {{ {text[block.content : block.close]} }}", config)
    (key,) = config.version_labels
    return str(key)


def _inside(text: str, block: _Block) -> Iterator[_Block]:
    return _blocks(text, block.content, block.close)


def _blocks(text: str, begin: int, end: int) -> Iterator[_Block]:
    """Find the fields in brackets of one message, whose content lies between two places."""
    name, name_at, content, depth = "", begin, begin, 0
    for match in _TOKEN.finditer(text, begin, end):
        token = match.group()
        if token in ("{", "<"):
            content = match.end() if not depth else content
            depth += 1
        elif token in ("}", ">"):
            depth -= 1
            if not depth:
                yield _Block(name, name_at, content, match.start())
        elif not depth and token[0] not in "#\"'":
            name, name_at = token, match.start()


def _insert(text: str, at: int, lines: str) -> str:
    """Insert whole lines before a bracket, which then begins a line of its own."""
    before = text[:at].rstrip(" \t")
    return before + ("\n" if before[-1:] not in ("", "\n") else "") + lines + text[len(before) :]
