"""Fixtures shared by all tests: where real speech is, and a cache of features of the test's own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

RAVDESS_BESIDE_THE_PROJECT = Path(__file__).parents[2] / "shared" / "data" / "ravdess"


@pytest.fixture(scope="session")
def ravdess() -> Path:
    """The folder of RAVDESS speech; the test is skipped where there is none."""
    folder = Path(os.environ.get("SER_KERAS_RAVDESS", RAVDESS_BESIDE_THE_PROJECT))
    if not folder.is_dir():
        pytest.skip(f"needs real speech: set SER_KERAS_RAVDESS to RAVDESS (looked in {folder})")
    return folder


@pytest.fixture(autouse=True)
def cache_directory(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch):
    """Keep the user's own cache out of every test."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("SER_KERAS_CACHE", str(folder))
    return folder
