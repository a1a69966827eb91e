"""The glossary of docs/architecture.md, kept: one word for one thing, spelled as in Keras."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = [
    path
    for package in ("ser_keras", "export", "tuning", "benchmarks")
    for path in sorted((ROOT / package).rglob("*.py"))
    if "node_modules" not in path.parts
]
# British spelling, and words that the glossary has others for.
OTHERWISE = re.compile(
    r"(standard|normal|serial|initial|summar|quant|recogn|categor|optim|synthes)is(e|ing|ation)"
    r"|colour|centre|neighbour|behaviour|labelled|grey"
    r"|^_?(observe|hear|heard|twin|place|places)$",
    re.IGNORECASE,
)


def identifiers(tree: ast.AST) -> Iterator[str]:
    """All names that a module gives to something of its own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_and_summaries_are_the_fields(path: Path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert [name for name in identifiers(tree) if OTHERWISE.search(name)] == []
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    summaries = [
        summary.splitlines()[0]
        for node in ast.walk(tree)
        if isinstance(node, documented) and (summary := ast.get_docstring(node))
    ]
    assert [line for line in summaries if line.startswith(("What ", "How "))] == []
