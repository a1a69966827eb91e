"""Where a result comes from: versions and git state, saved beside it."""

from __future__ import annotations

import contextlib
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = (
    *("ser-keras", "tensorflow", "keras", "tensorflow-probability"),
    *("librosa", "numpy", "soundfile", "soxr"),
)


def versions() -> dict[str, str]:
    """Return the versions of Python and of every package that can change a number.

    Example:
        >>> versions()["ser-keras"]
        '0.1.0'
    """
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def git_state() -> dict[str, Any] | None:
    """Return the source's commit and whether it was modified since; None outside a checkout.

    Example:
        >>> git_state()  # doctest: +SKIP
        {'commit': '20b9854…', 'modified': False}
    """
    folder = Path(__file__).parent
    # Installed in an environment below somebody's project, git would tell of that project.
    tracked = _git(folder, "ls-files", "--error-unmatch", Path(__file__).name)
    commit = _git(folder, "rev-parse", "HEAD")
    if tracked is None or commit is None:
        return None
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", ":/")
    return {"commit": commit, "modified": bool(changes)}


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
