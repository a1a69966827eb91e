"""What is installed: every file of the packages, not the modules alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = {"ser_keras": "ser_keras", "export": "ser_keras/export", "tuning": "ser_keras/tuning"}


def test_everything_in_the_packages_is_installed(tmp_path: Path):
    """Templates, pages, weights and tables of settings lie beside the modules that read them."""
    built = tmp_path / "built"
    words = [
        "setup.py",
        "--quiet",
        "build",
        "--build-base",
        str(tmp_path),
        "--build-lib",
        str(built),
    ]
    subprocess.run([sys.executable, *words], cwd=ROOT, check=True, capture_output=True)
    expected = {
        Path(installed) / path.relative_to(ROOT / source)
        for source, installed in SOURCES.items()
        for path in (ROOT / source).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and "node_modules" not in path.parts
    }
    found = {path.relative_to(built) for path in built.rglob("*") if path.is_file()}
    assert expected - found == set()
