"""TF Serving's, KServe's and Compose's own schemas, out of packages that are not to be imported.

`make` puts their files into the environment's folder `schemas`, without what they need: the
messages are of a protobuf of years ago, KServe's models want a client of Kubernetes. So their
descriptions alone are read.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from google.protobuf import descriptor_pool, message_factory, wrappers_pb2
from tensorflow.core.protobuf import config_pb2, named_tensor_pb2

FOLDER = Path(sys.prefix) / "schemas"


def _path(name: str) -> Path:
    path = FOLDER / name
    if not path.is_file():
        pytest.skip(f"needs {path}; `make .venv/installed` puts it there")
    return path


def message(file: str, name: str) -> Any:
    """A message of TF Serving's, from a file that protoc generated."""
    source = _path(f"tensorflow_serving/{file}_pb2.py").read_text("utf-8")
    (literal,) = re.findall(r"^  serialized_pb=_b\((.*)\)$", source, re.MULTILINE)
    pool = descriptor_pool.DescriptorPool()
    for needed in (wrappers_pb2, config_pb2, named_tensor_pb2):
        _add(pool, needed.DESCRIPTOR)
    pool.AddSerializedFile(ast.literal_eval(literal).encode("latin1"))
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"tensorflow.serving.{name}"))


def _add(pool: descriptor_pool.DescriptorPool, file: Any) -> None:
    for needed in file.dependencies:
        _add(pool, needed)
    pool.AddSerializedFile(file.serialized_pb)


def check_compose(content: dict[str, Any]) -> None:
    """Hold a Compose file against the JSON schema of Compose's specification.

    Raises:
        jsonschema.ValidationError: it does not follow it.
    """
    schema = json.loads(_path("compose/config/compose_spec.json").read_text("utf-8"))
    jsonschema.Draft201909Validator(schema).validate(content)


def check_kserve(model: str, content: dict[str, Any], where: str = "") -> None:
    """Hold a manifest against a model of KServe's: every name, type and what is required.

    Objects of Kubernetes' own, which KServe's package only refers to, are not looked into.
    """
    types, names, required = _kserve(model)
    assert required <= set(content), f"{where or model}: expected {sorted(required)}"
    for key, value in content.items():
        place = f"{where}.{key}"
        assert key in names, f"{place} is not in {model}: {sorted(names)}"
        kind = types[names[key]]
        if kind in ("str", "int", "bool", "float"):
            assert type(value).__name__ == kind, f"{place}: expected {kind}, found {value!r}"
        elif kind == "list[str]":
            assert all(type(one) is str for one in value), f"{place}: expected strings"
        elif kind.startswith("V1beta1"):
            check_kserve(kind, value, place)
        else:
            assert kind.startswith("V1"), f"{place}: {kind} is not known to this check"


@cache
def _kserve(model: str) -> tuple[dict[str, str], dict[str, str], frozenset[str]]:
    """Types by attribute, attributes by name in a manifest, and the names that are required."""
    file = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", model).lower()
    tree = ast.parse(_path(f"kserve/models/{file}.py").read_text("utf-8"))
    (body,) = (node for node in tree.body if isinstance(node, ast.ClassDef))
    tables = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in body.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    names = {name: attribute for attribute, name in tables["attribute_map"].items()}
    # A generated setter refuses None for what is required.
    refused = re.findall(r"Invalid value for `(\w+)`, must not be `None`", ast.unparse(body))
    return (
        tables["openapi_types"],
        names,
        frozenset(name for name, attribute in names.items() if attribute in refused),
    )
