"""Recordings gone through again, held to the model's own `predict` and steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ser_keras.corpora.utterance import Corpus
from ser_keras.features import reference
from ser_keras.model import files as model_files
from ser_keras.model.presets import TINY
from ser_keras.model.vrnn import VRNN
from ser_keras.recognition.replay import Replay
from ser_keras.sound import decoding


@pytest.fixture(scope="module", params=["vectors", "patches"])
def model(request: pytest.FixtureRequest, trained_run: Path) -> VRNN:
    if request.param == "vectors":
        return model_files.load(trained_run)
    return VRNN.from_preset("tiny")


def test_as_it_came_it_is_what_predict_gives(model: VRNN, synthetic_corpus: Corpus):
    spec, replay = model.features, Replay(model)
    samples = decoding.load(synthetic_corpus[0].path, spec.sample_rate)
    observed = replay.read(samples).standardized
    found = replay(observed, np.zeros((2, *observed.shape), bool))
    expected = model.predict(reference.extract(samples, spec)[np.newaxis], verbose=0)
    for version in range(2):
        for mine, its in (
            (found.probabilities, "timeline"),
            (found.prediction, "prediction"),
            (found.saliency, "saliency"),
        ):
            np.testing.assert_allclose(mine[version], expected[its][0], rtol=1e-3, atol=2e-3)
        # A cell whose saliency is the mean but for rounding may fall to either side.
        assert np.mean(found.attention[version] != expected["attention"][0]) < 1e-3


def test_a_replaced_instant_surprises_nobody(model: VRNN, synthetic_corpus: Corpus):
    replay = Replay(model)
    samples = decoding.load(synthetic_corpus[0].path, model.features.sample_rate)
    observed = replay.read(samples).standardized
    replaced = np.zeros((1, *observed.shape), bool)
    replaced[0, 0] = replaced[0, 2] = True
    found = replay(observed, replaced)
    np.testing.assert_allclose(found.saliency[0, 2], 0, atol=1e-6)
    # For the first instant there is no prediction that could replace it.
    np.testing.assert_allclose(found.saliency[0, 0], np.abs(observed[0]), rtol=1e-5)
    # By hand: the cell, given its own prediction.
    states = model.cell.get_initial_state(1)
    for t in range(3):
        given = states[-2] if t == 2 else observed[t : t + 1]
        output, states = model.cell(given, states)
    probabilities = np.exp(output[0, -len(model.classes) :])
    np.testing.assert_allclose(
        found.probabilities[0, 2], probabilities / probabilities.sum(), rtol=1e-4
    )


def test_versions_do_not_depend_on_those_beside_them(model: VRNN):
    replay = Replay(model)
    rate = model.features.sample_rate
    noise = np.random.default_rng(0).normal(size=2 * rate).astype(np.float32)
    observed = replay.read(0.1 * noise).standardized
    versions = np.random.default_rng(1).random((11, *observed.shape)) < 0.3
    alone = [replay(observed, version[np.newaxis]).probabilities[0, -1] for version in versions]
    np.testing.assert_allclose(replay.probabilities(observed, versions), alone, rtol=1e-3)


def test_levels_are_relative_to_the_loudest_so_far():
    replay = Replay(VRNN(("a", "b"), TINY))
    rate = TINY.features.sample_rate
    quiet = np.full(2 * rate, 1e-6, np.float32)
    loud = 0.5 * np.sin(np.arange(rate)).astype(np.float32)
    loudest = replay.read(np.concatenate([quiet, loud])).loudest
    assert loudest[0] == -15
    assert loudest[-1] > 0
    assert (np.diff(loudest) >= 0).all()
