"""`benchmarks.weights` ships a trained model, without its optimiser, and calibrated on others."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import weights
from ser_keras.features.extraction import extract_corpus
from ser_keras.files import write_json
from ser_keras.model import files as model_files
from ser_keras.model import presets
from ser_keras.model.vrnn import VRNN
from ser_keras.training import pipeline
from ser_keras.training import run as training
from ser_keras.training.calibration import best_temperature


def leave(run: training.TrainingRun, folder: Path) -> VRNN:
    """A run of the preset tiny as far as its first weights, in its folder."""
    # Of the sound that needs no file, whatever corpus the run names.
    sound = training.TrainingRun(corpus="synthetic", preset=run.preset, split="speaker")
    part = training.split_corpus(sound)["train"]
    model = VRNN.from_preset(run.preset, part.emotions, seed=run.fold)
    model.adapt(pipeline.batches(extract_corpus(part, run.preset.features), 16))
    folder.mkdir()
    write_json(folder / training.CONFIGURATION_FILE, {"run": run.to_dict()})
    model_files.save(model, folder / model_files.MODEL_FILE)
    return model


@pytest.fixture(scope="module")
def by_speaker(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two runs on two folds."""
    parent = tmp_path_factory.mktemp("by-speaker")
    folders = [parent / "fold-0", parent / "fold-1"]
    for fold, folder in enumerate(folders):
        run = training.TrainingRun(
            corpus="synthetic",
            preset=presets.get("tiny"),
            split="speaker",
            fold=fold,
            validation_fraction=0.0,
        )
        leave(run, folder)
    return folders


def test_the_temperature_is_of_all_who_were_not_heard(
    by_speaker: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "out"
    # A training that is over already.
    run = training.TrainingRun(
        corpus="ravdess",
        data="somewhere",
        preset=presets.get("tiny"),
        test_fraction=0.01,
        validation_fraction=0.0,
    )
    trained = leave(run, out)
    words = ["--data", "somewhere", "--preset", "tiny", "--out", str(out), "--by-speaker"]
    assert weights.main([*words, *map(str, by_speaker)]) == 0
    told = json.loads(capsys.readouterr().out)

    logits, labels = [], []
    for folder in by_speaker:
        judge = model_files.load(folder)
        test = training.split_corpus(training.read_run(folder))["test"]
        extracted = extract_corpus(test, judge.features)
        for inputs, truth in pipeline.batches(extracted, classes=judge.classes):
            logits.append(judge(inputs)["logits"])
            labels.append(truth)
    expected = best_temperature(np.concatenate(logits), np.concatenate(labels))
    assert told["temperature"] == pytest.approx(expected, rel=1e-3)

    shipped = model_files.load(out / "tiny.keras")
    assert shipped.adapted
    assert shipped.classes == trained.classes
    np.testing.assert_allclose(
        shipped(inputs)["logits"] * told["temperature"], trained(inputs)["logits"], atol=1e-5
    )


def test_a_run_of_other_settings_is_refused(
    by_speaker: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    words = ["--data", "somewhere", "--preset", "convolutional", "--by-speaker", str(by_speaker[0])]
    assert weights.main([*words, "--out", str(tmp_path / "out")]) == 1
    assert (
        "expected preset convolutional as it is, found tiny with other settings"
        in capsys.readouterr().err
    )


def test_a_run_trained_on_the_test_speakers_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run = training.TrainingRun(corpus="synthetic", preset=presets.get("tiny"), split="random")
    folder = tmp_path / "random"
    folder.mkdir()
    write_json(folder / training.CONFIGURATION_FILE, {"run": run.to_dict()})
    words = ["--data", "somewhere", "--preset", "tiny", "--by-speaker", str(folder)]
    assert weights.main([*words, "--out", str(tmp_path / "out")]) == 1
    assert (
        f"{folder}: expected a run by speaker, found speakers in both subsets"
        in capsys.readouterr().err
    )
