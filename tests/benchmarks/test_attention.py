"""`benchmarks.attention` replaces attention and feedback, and measures predictions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.attention import __main__ as attention
from benchmarks.attention import outcomes
from benchmarks.attention.intervals import Speakers, interval
from benchmarks.attention.variations import VARIATIONS, Instant
from ser_keras import evaluate
from ser_keras.evaluation import results
from ser_keras.features.extraction import Extraction, extract_corpus
from ser_keras.model import files
from ser_keras.model.vrnn import VRNN
from ser_keras.training.run import read_run


@pytest.fixture(scope="module")
def model(trained_run: Path) -> VRNN:
    return files.load(trained_run)


@pytest.fixture(scope="module")
def extraction(trained_run: Path, model: VRNN) -> Extraction:
    test = results.test_subset(read_run(trained_run), trained_run)
    return extract_corpus(test, model.features, cache=False, progress=False)


def observations(extraction: Extraction) -> dict[str, np.ndarray]:
    """All utterances padded to the longest."""
    instants = np.array([len(one) for one in extraction.observations], np.int32)
    padded = [
        np.pad(one, [(0, instants.max() - len(one)), (0, 0)]) for one in extraction.observations
    ]
    return {"observations": np.stack(padded), "instants": instants}


def test_as_it_is_is_the_model(model: VRNN, extraction: Extraction):
    found = outcomes.answer(model, extraction, "as-it-is", share=0.0)
    expected = model.predict(observations(extraction), verbose=0)
    np.testing.assert_allclose(found.logits, expected["logits"], atol=1e-5)
    later = expected["attention"][:, 1:].sum(axis=(1, 2))  # padded with zeros
    np.testing.assert_array_equal(found.sampled, later)


def test_everything_sampled_is_the_model_without_attention(model: VRNN, extraction: Extraction):
    without = VRNN.from_preset(model.preset, model.classes, attention=False)
    without.set_weights(model.get_weights())
    found = outcomes.answer(model, extraction, "everything", share=0.0)
    expected = without.predict(observations(extraction), verbose=0)
    np.testing.assert_allclose(found.logits, expected["logits"], atol=1e-5)
    assert (found.sampled == found.elements).all()


def test_shares_are_kept_and_selection_is_restored(model: VRNN, extraction: Extraction):
    for name in ("random-1", "least-salient"):
        found = outcomes.answer(model, extraction, name, share=0.3)
        assert found.sampled.sum() / found.elements.sum() == pytest.approx(0.3, abs=0.04), name
    again = outcomes.answer(model, extraction, "as-it-is", share=0.0)
    first = outcomes.answer(model, extraction, "as-it-is", share=0.0)
    np.testing.assert_array_equal(again.logits, first.logits)


def test_errors_are_those_of_numpy(model: VRNN, extraction: Extraction):
    found = outcomes.generate(model, extraction)
    predicted = model.predict(observations(extraction), verbose=0)["prediction"]
    mean, scale = model.standardization.mean.numpy(), model.standardization.scale.numpy()
    for index, one in enumerate(extraction.observations):
        truth = (one - mean) / scale
        ours = ((truth[1:] - predicted[index, 1 : len(one)]) ** 2).sum()
        assert found.prediction["all"][index] == pytest.approx(ours, rel=1e-3)
        assert found.copy["new"][index] == pytest.approx(
            ((truth[1:] - truth[:-1]) ** 2).sum(), rel=1e-3
        )
        assert found.elements["known"][index] == 0


def test_the_known_part_of_a_patch_is_the_end_of_the_last():
    values = np.arange(24.0).reshape(1, 2, 4, 3)  # 2 instants of 4 frames × 3 bands
    parts = outcomes._by_part(values, np.array([[True, False]]), new=1)
    assert parts["known"].tolist() == [values[0, 0, :3].sum()]
    assert parts["new"].tolist() == [values[0, 0, 3].sum()]


def test_intervals_are_over_speakers():
    speakers = ["a"] * 50 + ["b"] * 50
    values = np.array([1.0] * 50 + [0.0] * 50)
    found = interval(Speakers(speakers).ratio(values, np.ones(100)))
    assert found == {"value": 0.5, "low": 0.0, "high": 1.0}  # two speakers tell next to nothing
    same = interval(Speakers(speakers).ratio(np.full(100, 0.3), np.ones(100)))
    assert same["low"] == same["high"] == pytest.approx(0.3)


def test_thresholds_of_bands_and_frames_are_means_over_the_other():
    saliency = np.array([[4.0, 5.0, 2.0, 1.0]], np.float32)  # 2 frames × 2 bands
    zeros, ones = np.zeros_like(saliency), np.ones_like(saliency)
    instant = Instant(zeros, zeros, zeros, saliency, share=0.5, seed=ones, frames=2)
    bands = VARIATIONS["above-band-mean"].attend(instant)
    frames = VARIATIONS["above-frame-mean"].attend(instant)
    assert np.asarray(bands).tolist() == [[1, 1, 0, 0]]
    assert np.asarray(frames).tolist() == [[0, 1, 1, 0]]


def test_a_run_leaves_a_table(
    trained_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "out"
    words = [str(trained_run), "--only", "zero", "--out", str(out)]
    assert attention.main(words) == 0
    assert capsys.readouterr().out == (out / "attention.md").read_text()
    found = json.loads((out / "attention.json").read_text())
    assert list(found["variations"]) == ["as-it-is", "zero"]
    expected = evaluate(
        files.load(trained_run), results.test_subset(read_run(trained_run), trained_run)
    )
    as_it_is = found["variations"]["as-it-is"]
    assert as_it_is["weighted_accuracy"]["value"] == pytest.approx(expected.weighted_accuracy)
    assert as_it_is["unweighted_accuracy"]["value"] == pytest.approx(expected.unweighted_accuracy)
    after_first = expected.sampled_fraction.after_first
    assert as_it_is["sampled_fraction"]["value"] == pytest.approx(after_first)
