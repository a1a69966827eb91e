"""The package as installed: its names, its version, and which part may import which."""

from __future__ import annotations

import ast
import configparser
import importlib
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
# Where each package lies in the project, by the name it is installed under.
FOLDERS = {
    name: ROOT / name.rpartition(".")[2] for name in ("ser_keras.tuning", "ser_keras.export")
}
FOLDERS["ser_keras"] = ROOT / "ser_keras"


def modules(package: str) -> dict[str, Path]:
    """Every module of a package, by the name a user imports."""
    folder = FOLDERS[package]
    found = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        if parts[-1] == "__init__":
            parts = parts[:-1]
        found[".".join((package, *parts))] = path
    return found


def imports(name: str, path: Path) -> Iterator[str]:
    """What importing a module imports, as absolute names; imports inside functions come later."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    pending: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) + 1 - node.level]
                base = ".".join([*parents, base] if base else parents)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            pending.extend(node.orelse)
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            pending.extend(ast.iter_child_nodes(node))


def test_metadata_names_the_version_of_setup_cfg():
    assert metadata.version("ser-keras") == "0.1.0"


def requirements(extras: Iterable[str]) -> list[Requirement]:
    """What setup.cfg requires, with some of its extras."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    groups = [config["options"]["install_requires"]]
    groups += [config["options.extras_require"][extra] for extra in extras]
    lines = [line for group in groups for line in group.splitlines()]
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


EXTRAS = ("io", "microphone", "bayesian", "benchmarks", "test")


@pytest.mark.parametrize("requirement", requirements(EXTRAS), ids=str)
def test_every_dependency_has_an_upper_bound(requirement: Requirement):
    assert any(clause.operator in ("<", "==") for clause in requirement.specifier)


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12"])
@pytest.mark.parametrize(
    ("file", "extras"),
    [("default", ("test",)), ("io", ("io", "test")), ("benchmarks", ("benchmarks",))],
)
def test_the_versions_tested_lie_within_the_bounds(file: str, extras: tuple[str, ...], python: str):
    environment = {"python_version": python, "sys_platform": "linux"}
    text = (ROOT / "constraints" / f"{file}.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    pinned = {}
    for pin in map(Requirement, lines):
        if pin.marker is None or pin.marker.evaluate(environment):
            (clause,) = pin.specifier
            pinned[pin.name] = clause.version
    for requirement in requirements(extras):
        applies = requirement.marker is None or requirement.marker.evaluate(environment)
        if applies and requirement.name in pinned:
            assert requirement.specifier.contains(pinned[requirement.name]), requirement


@pytest.mark.io_stack
@pytest.mark.parametrize("name", sorted(FOLDERS))
def test_packages_are_importable_by_their_installed_names(name: str):
    module = importlib.import_module(name)
    assert module.__file__ is not None
    assert (FOLDERS[name] / "__init__.py").samefile(module.__file__)


def test_packages_are_importable_from_any_folder(tmp_path: Path):
    names = ", ".join(FOLDERS)
    subprocess.run([sys.executable, "-c", f"import {names}"], cwd=tmp_path, check=True)


LIGHT = ("", ".corpora", ".corpora.splits", ".sound.decoding", ".features", ".features.extraction")


def test_reading_and_describing_sound_needs_no_tensorflow():
    """Each worker process of the extraction would pay seconds and hundreds of megabytes for it."""
    names = ", ".join(f"ser_keras{name}" for name in LIGHT)
    heavy = "[m for m in ('tensorflow', 'keras', 'torch') if m in sys.modules]"
    program = f"import sys, {names}; print({heavy})"
    ran = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert ran.stdout.strip() == "[]"


def test_the_model_does_not_know_tuning_and_export():
    beyond = ("ser_keras.tuning", "ser_keras.export", "tuning", "export")
    for name, path in modules("ser_keras").items():
        for imported in imports(name, path):
            assert not imported.startswith(beyond), f"{name} imports {imported}"


def test_imports_run_in_one_direction():
    every = {name: path for package in FOLDERS for name, path in modules(package).items()}
    graph = {
        name: {imported for imported in imports(name, path) if imported in every} - {name}
        for name, path in every.items()
    }
    # A package's __init__ gathers what lies in it: a cycle only if one of those needs it.
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail[trail.index(name) :], name))
        if name not in done:
            for imported in sorted(graph[name]):
                visit(imported, (*trail, name))
            done.add(name)

    for name in sorted(graph):
        visit(name, ())


def test_every_module_says_what_it_is_for():
    for package in FOLDERS:
        for name, path in modules(package).items():
            assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), name
