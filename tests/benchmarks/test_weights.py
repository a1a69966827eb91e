"""`benchmarks.weights` ships a trained model, without its optimiser, and calibrated on others."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks import weights
from ser_keras.errors import ConfigurationError
from ser_keras.features.extraction import extract_corpus
from ser_keras.files import write_json
from ser_keras.model import files as model_files
from ser_keras.model import presets
from ser_keras.model.vrnn import VRNN
from ser_keras.training import pipeline
from ser_keras.training import run as training
from ser_keras.training.calibration import best_temperature
from ser_keras.training.familiarity import surprisals


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the preset tiny by speaker, as far as its first weights, in its folder."""
    run = training.TrainingRun(
        "synthetic", preset=presets.TINY, split="speaker", folds=2, validation_fraction=0.0
    )
    part = training.split_corpus(run)["train"]
    model = VRNN.from_preset(run.preset, part.emotions, seed=run.fold)
    model.adapt(pipeline.batches(extract_corpus(part, run.preset.features), 16))
    model.compile()
    folder = tmp_path_factory.mktemp("runs") / "finished"
    folder.mkdir()
    write_json(folder / training.CONFIGURATION_FILE, {"run": run.to_dict()})
    model_files.save(model, folder / model_files.MODEL_FILE)
    return folder


def test_the_temperature_is_of_the_people_who_were_left_out(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert weights.main([str(finished), "--out", str(tmp_path)]) == 0
    told = json.loads(capsys.readouterr().out)

    trained = model_files.load(finished)
    test = training.split_corpus(training.read_run(finished))["test"]
    batches = pipeline.batches(extract_corpus(test, trained.features), classes=trained.classes)
    logits, labels = [], []
    for inputs, truth in batches:
        logits.append(trained(inputs)["logits"])
        labels.append(truth)
    expected = best_temperature(np.concatenate(logits), np.concatenate(labels))
    assert told["temperature"] == pytest.approx(expected, rel=1e-3)
    assert 0.0 <= told["calibration_error"] <= 1.0

    shipped = model_files.load(tmp_path / "tiny.keras")
    assert shipped.adapted
    assert shipped.classes == trained.classes
    np.testing.assert_allclose(
        shipped(inputs)["logits"] * told["temperature"], trained(inputs)["logits"], atol=1e-5
    )
    size, whole = ((folder / name).stat().st_size for folder, name in (
        (tmp_path, "tiny.keras"), (finished, model_files.MODEL_FILE)))  # fmt: skip
    assert size < 0.5 * whole


def test_the_error_told_is_of_temperatures_of_other_people():
    """Each speaker is as certain as the other is right: either's temperature mends the other."""
    certain = np.log([[0.9, 0.1]] * 10)
    labels = np.array([0] * 9 + [1])  # right in nine of ten
    logits, speakers = np.concatenate([certain, 2 * certain]), ["a"] * 10 + ["b"] * 10
    both = np.concatenate([labels, labels])
    # "a" is calibrated as it is, and "b" with a temperature of 2; given the other's, "a" answers
    # with odds of 3 and "b" with odds of 81.
    expected = (abs(0.75 - 0.9) + abs(81 / 82 - 0.9)) / 2
    assert weights.error_across(logits, both, speakers) == pytest.approx(expected, abs=1e-3)


def test_a_run_trained_on_the_test_speakers_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run = training.TrainingRun(corpus="synthetic", preset=presets.get("tiny"), split="random")
    folder = tmp_path / "random"
    folder.mkdir()
    write_json(folder / training.CONFIGURATION_FILE, {"run": run.to_dict()})
    assert weights.main([str(folder), "--out", str(tmp_path / "out")]) == 1
    assert (
        f"{folder}: expected a run by speaker, found speakers in both subsets"
        in capsys.readouterr().err
    )


def test_a_run_that_leaves_nobody_out_takes_the_temperature_that_it_is_told(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """Every speaker is in training; the ranks of surprisals are of all recordings trained on."""
    run = training.TrainingRun(
        "synthetic", preset=presets.TINY, test_fraction=0.1, validation_fraction=0.0
    )
    folder = tmp_path / "everyone"
    folder.mkdir()
    write_json(folder / training.CONFIGURATION_FILE, {"run": run.to_dict()})
    model_files.save(model_files.load(finished), folder / model_files.MODEL_FILE)
    options = [str(folder), "--mean-with", str(finished), "--out", str(tmp_path), "--temperature"]
    assert weights.main([*options, "1.25"]) == 0
    path = tmp_path / "tiny.keras"
    assert json.loads(capsys.readouterr().out) == {"weights": str(path), "temperature": 1.25}
    shipped = model_files.load(path)
    assert float(shipped.cell.temperature.numpy()) == 1.25
    part = training.split_corpus(run)["train"]
    [(inputs, labels)] = pipeline.batches(extract_corpus(part, shipped.features), len(part))
    own = surprisals(shipped, inputs, labels)
    assert shipped.familiarity is not None
    assert shipped.familiarity.of(float(np.median(own))) == pytest.approx(0.5, abs=0.05)

    assert weights.main([*options, "0"]) == 1
    assert "--temperature: expected more than 0, found 0.0" in capsys.readouterr().err


def overconfident(folder: Path, times: float, seed: int) -> Path:
    """Leave the predictions of a model that is surer than it is right, by a known factor."""
    random = np.random.default_rng(seed)
    logits = random.normal(0.0, 1.0, (4000, 3))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = [random.choice(3, p=row) for row in true]
    shown = np.exp(times * logits) / np.exp(times * logits).sum(axis=1, keepdims=True)
    folder.mkdir()
    lines = ["emotion,probability_a,probability_b,probability_c"]
    lines += [
        ",".join(["abc"[label], *map(repr, row.tolist())])
        for label, row in zip(labels, shown, strict=True)
    ]
    (folder / "predictions.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_people_and_unseen_corpora_count_alike(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """The factor is where the gradient of the two cross-entropies by its logarithm is nil."""
    unseen = [
        overconfident(tmp_path / name, times, seed)
        for seed, (name, times) in enumerate({"x": 2.0, "y": 4.5}.items())
    ]
    options = [str(finished), "--out", str(tmp_path), "--unseen", *map(str, unseen)]
    assert weights.main(options) == 0
    told = json.loads(capsys.readouterr().out)
    shipped = model_files.load(tmp_path / "tiny.keras")
    assert float(shipped.cell.temperature.numpy()) == pytest.approx(told["temperature"])
    assert set(told["calibration_error_unseen"]) == set(map(str, unseen))

    trained = model_files.load(finished)
    test = training.split_corpus(training.read_run(finished))["test"]
    batches = pipeline.batches(extract_corpus(test, trained.features), classes=trained.classes)
    factor = told["temperature"] / told["temperature_of_people"]
    groups = [weights.answers_of(path) for path in unseen]
    slopes = [slope(logits / factor, labels) for logits, labels in groups]
    people = [
        slope(trained(inputs)["logits"].numpy() / told["temperature"], labels.numpy())
        for inputs, labels in batches
    ]
    assert np.mean(slopes) + np.mean(people) == pytest.approx(0.0, abs=1e-3)
    other = tmp_path / "other"
    assert weights.main([str(finished), "--out", str(other), "--factor", str(factor)]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["temperature"] == pytest.approx(told["temperature"])
    assert factor > 1.5  # untrained, it is right about people by chance, and certain of nothing


def test_unseen_corpora_alone_can_count(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """The factor is where the gradient of their cross-entropies is nil, whatever people say."""
    unseen = [overconfident(tmp_path / name, 3.0, seed) for seed, name in enumerate(("x", "y"))]
    options = [str(finished), "--out", str(tmp_path), "--unseen-alone", *map(str, unseen)]
    assert weights.main(options) == 0
    told = json.loads(capsys.readouterr().out)
    factor = told["temperature"] / told["temperature_of_people"]
    slopes = [slope(logits / factor, labels) for logits, labels in map(weights.answers_of, unseen)]
    assert np.mean(slopes) == pytest.approx(0.0, abs=1e-3)
    assert factor == pytest.approx(3.0, rel=0.1)
    # Each corpus with the factor of the other, which is as overconfident: calibrated.
    assert all(error < 0.05 for error in told["calibration_error_unseen"].values())


def slope(logits: np.ndarray, labels: np.ndarray) -> float:
    """Of the cross-entropy by the temperature's logarithm, by hand."""
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    right = logits[np.arange(len(labels)), labels]
    return float(np.mean(right - (probabilities * logits).sum(axis=1)))


def test_an_evaluation_without_predictions_is_an_error(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert weights.main([str(finished), "--out", str(tmp_path), "--unseen", str(tmp_path)]) == 1
    assert "predictions.csv" in capsys.readouterr().err


def test_the_mean_of_a_run_and_another_model(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """All weights alike; the ranks of surprisals are those of the mean's, not of the run's."""
    trained, other = model_files.load(finished), model_files.load(finished)
    for weight in other.trainable_weights:
        weight.assign(weight + 0.02 * np.random.default_rng(0).normal(size=weight.shape))
    path = tmp_path / "other.keras"
    model_files.save(other, path)
    options = [str(finished), "--mean-with", str(path), "--out", str(tmp_path / "out")]
    assert weights.main(options) == 0
    shipped = model_files.load(tmp_path / "out" / "tiny.keras")
    pairs = zip(trained.trainable_weights, other.trainable_weights, strict=True)
    for (first, second), mean in zip(pairs, shipped.trainable_weights, strict=True):
        np.testing.assert_allclose(mean, (first + second) / 2, atol=1e-6)
    temperature = json.loads(capsys.readouterr().out)["temperature"]
    assert float(shipped.cell.temperature.numpy()) == pytest.approx(temperature)

    part = training.split_corpus(training.read_run(finished))["train"]
    [(inputs, labels)] = pipeline.batches(extract_corpus(part, shipped.features), len(part))
    own = surprisals(shipped, inputs, labels)
    assert shipped.familiarity is not None
    assert shipped.familiarity.of(float(np.median(own))) == pytest.approx(0.5, abs=0.05)


def test_a_mean_of_models_that_differ_is_refused(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    options = [str(finished), "--mean-with", "convolutional", "--out", str(tmp_path)]
    assert weights.main(options) == 1
    assert "convolutional: features: expected" in capsys.readouterr().err


def test_of_other_shapes_the_first_is_named(finished: Path, tmp_path: Path):
    trained = model_files.load(finished)
    size = trained.preset.architecture.latent_size + 1
    wider = trained.preset.with_settings({"latent_size": size})
    other = VRNN.from_preset(wider, trained.classes, load_weights=False)
    with pytest.raises(ConfigurationError) as refused:
        weights.mean_of({"first": trained, "other": other})
    assert re.fullmatch(
        r"other: shape of scan/cell/\S+: expected \([\d, ]+\), found \([\d, ]+\)",
        str(refused.value),
    )
