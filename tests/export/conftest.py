"""A small model, its exports, and speech to try them on."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ser_keras import corpora, export
from ser_keras.features import reference
from ser_keras.model.vrnn import VRNN
from ser_keras.sound import decoding

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
CLASSES = ("neutral", "happy", "sad", "angry")
SIZES: dict[str, Any] = {
    "recognition_units": 16,
    "generation_units": 12,
    "classification_units": 16,
    "latent_size": 4,
}


# No longer than a module: while Playwright runs, nobody else can run an event loop.
@pytest.fixture(scope="module")
def browser(speech: list[Path]) -> Iterator[Any]:
    """Chromium without a window, whose microphone is fed a recording."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright")
    found = os.environ.get("SER_KERAS_CHROMIUM") or next(
        filter(None, map(shutil.which, BROWSERS)), None
    )
    if found is None:
        pytest.skip("needs a browser: Chromium on the path, or SER_KERAS_CHROMIUM")
    arguments = [
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={speech[0]}",
        *(["--no-sandbox"] if os.geteuid() == 0 else []),
    ]
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=found, args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def speech(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Recordings of synthetic speech."""
    corpus = corpora.load("synthetic", tmp_path_factory.mktemp("synthetic"), speakers=2, takes=1)
    return [utterance.path for utterance in corpus][::3]


@pytest.fixture(scope="session")
def model(speech: list[Path]) -> VRNN:
    """An untrained model with the standardization learnt, which is enough to compare answers."""
    model = VRNN.from_preset("ravdess", CLASSES, seed=1, **SIZES)
    rate = model.features.sample_rate
    model.adapt(
        [
            reference.extract(decoding.load(path, rate), model.features)[np.newaxis]
            for path in speech
        ]
    )
    # Probabilities far from uniform, so that a difference shows.
    for weight in model.cell.class_logits.trainable_weights:
        weight.assign(weight * 20.0)
    return model


@pytest.fixture(scope="session")
def servable(model: VRNN, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the model's SavedModel."""
    return export.saved_model(model, tmp_path_factory.mktemp("served") / "vrnn" / "1")


@pytest.fixture(scope="session")
def patch_model() -> VRNN:
    """A model of log-mel patches, half of which is carried over, at another rate, with silence."""
    model = VRNN.from_preset(
        "ravdess",
        CLASSES,
        seed=2,
        kind="log-mel",
        statistics=(),
        sample_rate=16000,
        hop=0.512,
        window=1.0,
        mel_bands=32,
        fft_size=512,
        frame_hop=1024,
        top_db=None,
        range_db=50.0,
        carry_over=True,
        end_frames=4,
        decoder_reads_sampled=True,
        trailing_silence=0.7,
        remove_offset=True,
        **SIZES,
    )
    patches = np.random.default_rng(0).normal(-40, 20, (3, 5, *model.features.observation_shape))
    model.adapt([patches.astype(np.float32)])
    return model
