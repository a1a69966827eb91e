"""The package as installed: its names, version, dependencies and shape."""

from __future__ import annotations

import ast
import configparser
import importlib
import subprocess
import sys
from collections.abc import Iterable
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
    """The modules of a package, by the names that a user imports."""
    folder = FOLDERS[package]
    found = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        if parts[-1] == "__init__":
            parts = parts[:-1]
        found[".".join((package, *parts))] = path
    return found


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


EXTRAS = ("io", "av", "microphone", "bayesian", "parquet", "beam", "benchmarks", "test")


@pytest.mark.parametrize("requirement", requirements(EXTRAS), ids=str)
def test_every_dependency_has_an_upper_bound(requirement: Requirement):
    assert any(clause.operator in ("<", "==") for clause in requirement.specifier)


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13"])
@pytest.mark.parametrize(
    ("file", "extras"),
    [("default", ("beam", "test")), ("io", ("io", "test")), ("benchmarks", ("benchmarks",))],
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


LIGHT = (
    "",
    ".corpora",
    ".corpora.splits",
    ".sound.decoding",
    ".features",
    ".features.extraction",
    ".recognition.decoded",
    ".recognition.tables",
)


def test_reading_and_describing_sound_needs_no_tensorflow():
    """Each worker process of the extraction would pay seconds and hundreds of megabytes for it."""
    names = ", ".join(f"ser_keras{name}" for name in LIGHT)
    heavy = "[m for m in ('tensorflow', 'keras', 'torch') if m in sys.modules]"
    program = f"import sys, {names}; print({heavy})"
    ran = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert ran.stdout.strip() == "[]"


def imported_from(path: Path, package: str) -> list[str]:
    """The names that a module takes, when it is imported, from a package or from below it."""
    return [
        f"{node.module}.{alias.name}"
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith(f"{package}.")
        for alias in node.names
    ]


def test_no_module_needs_the_package_that_imports_it():
    """The contracts in pyproject.toml, which `make lint` checks, exclude every other circle."""
    every = {name: path for package in FOLDERS for name, path in modules(package).items()}
    lazy = "ser_keras"  # imports its modules on first use
    for package, init in every.items():
        if package == lazy or init.name != "__init__.py" or not imported_from(init, package):
            continue
        for name, path in every.items():
            if name.startswith(f"{package}."):
                names = imported_from(path, package)
                own = [one for one in names if one.rpartition(".")[0] == package]
                assert set(own) <= set(every), name


def test_the_house_has_eight_packages_and_few_modules_beside_them():
    children = [path for path in FOLDERS["ser_keras"].iterdir() if path.name != "__pycache__"]
    assert len([path for path in children if path.suffix == ".py"]) <= 8
    assert {path.name for path in children if path.is_dir()} == {
        *("sound", "corpora", "features", "model"),
        *("training", "recognition", "evaluation", "commands"),
    }


def test_no_module_is_longer_than_350_lines():
    for package in FOLDERS:
        for name, path in modules(package).items():
            assert len(path.read_text(encoding="utf-8").splitlines()) <= 350, name


def test_every_module_says_what_it_is_for():
    for package in FOLDERS:
        for name, path in modules(package).items():
            assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), name
