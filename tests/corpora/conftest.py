"""Licensed corpora in miniature: names and folders as released, a tenth of a second of noise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile


@pytest.fixture
def record() -> Callable[..., Path]:
    """Write a tiny recording, different for each seed, with the folders it needs."""

    def write(path: Path, seed: int = 0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(seed).normal(0, 0.1, 1600)
        kind = {".flac": "FLAC", ".mp3": "MP3", ".ogg": "OGG"}.get(path.suffix.lower(), "WAV")
        soundfile.write(path, noise, 16000, format=kind)
        return path

    return write


@pytest.fixture
def ravdess_folder(tmp_path: Path, record: Callable[..., Path]) -> Path:
    """All 24 actors of the release, 60 recordings of speech each."""
    folder = tmp_path / "RAVDESS"
    for actor in range(1, 25):
        for emotion in range(1, 9):
            for intensity in (1, 2) if emotion > 1 else (1,):  # neutral has no strong form
                for statement in (1, 2):
                    for repetition in (1, 2):
                        name = (
                            f"03-01-{emotion:02d}-{intensity:02d}-{statement:02d}"
                            f"-{repetition:02d}-{actor:02d}.wav"
                        )
                        path = folder / f"Actor_{actor:02d}" / name
                        path.parent.mkdir(parents=True, exist_ok=True)
                        path.touch()  # loading reads names alone
    return folder
