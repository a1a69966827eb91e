"""The documents: what they link to is there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "benchmarks/**/*.md")
    for path in ROOT.glob(pattern)
)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_that_exist(document: Path):
    text = document.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
    for target in [*links, *re.findall(r'<img src="([^"]+)"', text)]:
        assert (document.parent / target).exists(), target


def test_modules_that_documents_name_exist():
    """`ser_keras/sound/`, `export/runner.py`: paths of the project in code font."""
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        paths = re.findall(r"`((?:ser_keras|export|tuning|tests|benchmarks|docs)/[\w./-]*)`", text)
        for path in paths:
            if path.startswith(("ser_keras/export/", "ser_keras/tuning/")):  # where installed
                path = path.removeprefix("ser_keras/")
            assert (ROOT / path).exists(), f"{document.name}: {path}"


PACKAGES = ("sound", "features", "model", "training", "recognition", "evaluation")


@pytest.mark.parametrize("package", PACKAGES)
def test_the_architecture_names_every_module(package: str):
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    (row,) = re.findall(rf"^\| `ser_keras/{package}/` \| (.*) \|$", text, re.MULTILINE)
    named = {name.rstrip("/") for name in re.findall(r"`([a-z_]+/?)`", row)}
    modules = {
        path.stem
        for path in (ROOT / "ser_keras" / package).iterdir()
        if not path.name.startswith("_")
        and (path.suffix == ".py" or (path / "__init__.py").exists())
    }
    assert modules == named & modules


def test_the_index_of_benchmarks_names_each_of_them():
    folder = ROOT / "benchmarks"
    named = set(re.findall(r"`([a-z_]+)`", (folder / "README.md").read_text(encoding="utf-8")))
    modules = {path.parent.name for path in folder.glob("*/__init__.py")}
    modules |= {path.stem for path in folder.glob("*.py") if path.stem != "__init__"}
    assert modules == named & modules


def test_make_builds_the_documentation():
    subprocess.run(["make", "-n", "docs"], cwd=ROOT, check=True, capture_output=True)
