"""Where a result comes from must be true."""

from __future__ import annotations

import platform
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from ser_keras import provenance

AUTHOR = ["-c", "user.name=A", "-c", "user.email=a@example.org"]


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *AUTHOR, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with the module in it, so that it tells of that repository."""
    if shutil.which("git") is None:
        pytest.skip("needs git")
    package = tmp_path / "ser_keras"
    package.mkdir()
    module = package / "provenance.py"
    module.write_text("one")
    (tmp_path / "README.md").write_text("one")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    monkeypatch.setattr(provenance, "__file__", str(module))
    return tmp_path


def test_versions_are_the_installed_ones():
    versions = provenance.versions()
    assert versions["python"] == platform.python_version()
    for package in set(versions) - {"python"}:
        assert versions[package] == version(package)
    assert {"ser-keras", "tensorflow", "keras", "tensorflow-probability", "librosa"} <= {*versions}


def test_a_package_that_is_not_there_is_left_out(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(provenance, "PACKAGES", ("numpy", "no-such-package"))
    assert set(provenance.versions()) == {"python", "numpy"}


def test_a_clean_checkout(checkout: Path):
    assert provenance.git_state() == {
        "commit": git(checkout, "rev-parse", "HEAD"),
        "modified": False,
    }


@pytest.mark.parametrize("changed", ["ser_keras/provenance.py", "README.md"])
def test_a_changed_file_anywhere_is_told(checkout: Path, changed: str):
    (checkout / changed).write_text("two")
    state = provenance.git_state()
    assert state == {"commit": git(checkout, "rev-parse", "HEAD"), "modified": True}


def test_results_among_the_source_are_no_change(checkout: Path):
    (checkout / "runs").mkdir()
    (checkout / "runs" / "model.keras").write_text("x")
    state = provenance.git_state()
    assert state is not None
    assert not state["modified"]


def test_somebody_elses_repository_is_not_ours(checkout: Path, monkeypatch: pytest.MonkeyPatch):
    """An environment often lies in a project that git ignores it in."""
    installed = checkout / ".venv" / "provenance.py"
    installed.parent.mkdir()
    installed.write_text("one")
    monkeypatch.setattr(provenance, "__file__", str(installed))
    assert provenance.git_state() is None


def test_outside_a_checkout_nothing_is_made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "provenance.py"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.git_state() is None


def test_without_git_nothing_is_made_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "")
    assert provenance.git_state() is None
