"""Fixtures that tests share: sound, a small trained model, a cache of their own, a full disk,
the memory in use."""

from __future__ import annotations

import csv
import functools
import os
import subprocess
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ser_keras import corpora
from ser_keras.corpora.utterance import Corpus
from ser_keras.model import presets
from ser_keras.model.settings import Preset

if TYPE_CHECKING:  # TensorFlow is for the tests that need it
    from ser_keras.training.run import TrainingRun

BESIDE_THE_PROJECT = Path(__file__).parents[2] / "shared" / "data"


def real_speech(corpus: str, name: str) -> Path:
    """The folder of a corpus; the test is skipped where there is none."""
    variable = f"SER_KERAS_{name.upper().replace('-', '_')}"
    folder = Path(os.environ.get(variable, BESIDE_THE_PROJECT / name))
    if not folder.is_dir():
        pytest.skip(f"needs real speech: set {variable} to {corpus} (looked in {folder})")
    return folder


@pytest.fixture(scope="session")
def ravdess() -> Path:
    return real_speech("RAVDESS", "ravdess")


@pytest.fixture(scope="session")
def crema_d() -> Path:
    return real_speech("CREMA-D", "crema-d")


@pytest.fixture(autouse=True)
def cache_directory(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch):
    """Keep the user's own cache out of every test."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("SER_KERAS_CACHE", str(folder))
    return folder


@pytest.fixture
def memory() -> Callable[[], int]:
    """Tells how many bytes of memory this process has; the test is skipped where none can."""
    statistics = Path("/proc/self/statm")
    if not statistics.exists():
        pytest.skip("needs /proc to read how much memory is used")
    return lambda: int(statistics.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# Small enough to train in seconds, with utterances of 5 to 9 instants.
TINY = {
    "recognition_units": 8,
    "generation_units": 8,
    "classification_units": 8,
    "latent_size": 4,
    "batch_size": 16,
    "epochs": 3,
    "sample_rate": 8000,
    "window": 0.5,
    "hop": 0.5,
    "coefficients": 13,
    "mel_bands": 40,
    "fft_size": 512,
    "frame_hop": 256,
}


@pytest.fixture(scope="session")
def tiny_settings() -> dict[str, float]:
    """What makes any preset small and fast, as `--set` takes it."""
    return dict(TINY)


@pytest.fixture(scope="session")
def tiny_preset() -> Preset:
    """The paper's model, far too small to learn anything."""
    return presets.RAVDESS.with_settings(TINY)


@pytest.fixture(scope="session")
def synthetic_corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Speech-like sound of 2 speakers, 2 takes of each of 8 emotions; do not change the files."""
    return corpora.load("synthetic", tmp_path_factory.mktemp("corpus"), speakers=2, takes=2)


@pytest.fixture(scope="session")
def manifest(synthetic_corpus: Corpus) -> Path:
    """The same sound as a user's own corpus; the second speaker is its predefined test part."""
    assert synthetic_corpus.root is not None
    path = synthetic_corpus.root / "manifest.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "emotion", "speaker", "session", "split"])
        for utterance in synthetic_corpus:
            part = "test" if utterance.speaker == "02" else "train"
            name = synthetic_corpus.relative_path(utterance)
            table.writerow(
                [name, utterance.emotion, utterance.speaker, utterance.path.stem[-2:], part]
            )
    return path


@pytest.fixture(scope="session")
def tiny_run(manifest: Path, tiny_preset: Preset) -> TrainingRun:
    """Three epochs of the tiny model on the manifest."""
    from ser_keras.training.run import TrainingRun

    return TrainingRun("manifest", str(manifest), tiny_preset, seed=7)


@pytest.fixture(scope="session")
def trained_run(tiny_run: TrainingRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `train` left of `tiny_run`, never interrupted; do not change it."""
    from ser_keras.training.train import train

    folder = tmp_path_factory.mktemp("trained") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SER_KERAS_CACHE", str(folder.parent / "cache"))
        train(tiny_run, folder)
    return folder


@pytest.fixture
def eagerly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train without a graph: a tiny model takes longer to trace than to train."""
    from ser_keras.model.vrnn import VRNN

    compile_ = functools.partialmethod(VRNN.compile, run_eagerly=True)
    monkeypatch.setattr(VRNN, "compile", compile_)


@pytest.fixture
def without_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the plots and report of evaluations out, which take longer than all the rest."""
    monkeypatch.setattr("ser_keras.evaluation.results.draw", lambda *_, **__: None)


@pytest.fixture(scope="session")
def bare_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that an edge device has: a folder with NumPy and the TFLite runtime, nothing they need.

    For a Python without site-packages: `python -S` with this as PYTHONPATH.
    """
    folder = tmp_path_factory.mktemp("packages")
    for name in ("numpy", "ai_edge_litert"):
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        package = Path(spec.origin).parent
        # numpy.libs: the native libraries that NumPy's wheels bring.
        for part in (package, package.with_name(f"{name}.libs")):
            if part.exists():
                (folder / part.name).symlink_to(part)
    return folder


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB; the test is skipped where none can be mounted."""
    folder = tmp_path / "small-disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("needs the right to mount a small file system (run as root on Linux)")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
