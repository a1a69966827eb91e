"""`benchmarks.weights` ships the very model of a run, without its optimiser, and calibrated."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import weights
from ser_keras import model_files, pipeline, presets, training
from ser_keras.calibration import best_temperature
from ser_keras.extraction import extract_corpus
from ser_keras.files import write_json
from ser_keras.vrnn import VRNN


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """A run by speaker of the preset tiny as far as its first weights, certain of itself."""
    run = training.TrainingRun(
        corpus="synthetic", preset=presets.get("tiny"), split="speaker", validation_fraction=0.0
    )
    parts = training.split_corpus(run)
    model = VRNN.from_preset(run.preset, parts["train"].emotions, seed=0)
    model.adapt(pipeline.batches(extract_corpus(parts["train"], run.preset.features), 16))
    folder = tmp_path / "run"
    folder.mkdir()
    write_json(folder / training.CONFIGURATION_FILE, {"run": run.to_dict()})
    model_files.save(model, folder / model_files.MODEL_FILE)
    return folder


def test_a_model_as_it_is(run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    words = ["--as-it-is", "--preset", "tiny", "--unheard", str(run_folder)]
    assert weights.main([*words, "--out", str(tmp_path / "out")]) == 0
    told = json.loads(capsys.readouterr().out)
    before, after = model_files.load(run_folder), model_files.load(tmp_path / "out" / "tiny.keras")
    assert after.adapted
    assert after.classes == before.classes

    test = training.split_corpus(training.read_run(run_folder))["test"]
    batches = list(pipeline.batches(extract_corpus(test, before.features), classes=before.classes))
    logits = np.concatenate([before(inputs)["logits"] for inputs, _ in batches])
    labels = np.concatenate([labels for _, labels in batches])
    assert told["temperature"] == pytest.approx(best_temperature(logits, labels), rel=1e-3)
    expected = np.exp(logits / told["temperature"])
    expected /= expected.sum(axis=1, keepdims=True)
    found = np.concatenate([after(inputs)["probabilities"] for inputs, _ in batches])
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_run_of_other_settings_is_refused(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    words = ["--as-it-is", "--preset", "convolutional", "--unheard", str(run_folder)]
    assert weights.main([*words, "--out", str(tmp_path / "out")]) == 1
    assert "found preset tiny with other settings" in capsys.readouterr().err
