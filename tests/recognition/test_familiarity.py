"""A recognizer tells how familiar a recording is, by what its model has heard."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ser_keras import pipeline
from ser_keras.corpora.utterance import Corpus
from ser_keras.model import files
from ser_keras.model.familiarity import Familiarity
from ser_keras.model.vrnn import VRNN
from ser_keras.recognition.description import Describer
from ser_keras.recognition.recognizer import Recognizer
from ser_keras.training.familiarity import learn_familiarity, surprisals
from ser_keras.training.run import TrainingRun, split_corpus
from ser_keras.training.tracing import WORTH_TRACING


@pytest.fixture(scope="module")
def model(trained_run: Path) -> VRNN:
    return files.load(trained_run)


def test_what_a_run_held_out_is_spread_over_all_familiarities(model: VRNN, tiny_run: TrainingRun):
    recognizer = Recognizer(model)
    held_out = split_corpus(tiny_run)["validation"]
    found = [recognizer.recognize(item.path)["familiarity"] for item in held_out]
    known = sorted(value for value in found if value is not None)
    assert known == pytest.approx(np.linspace(0.0, 1.0, len(known)).tolist(), abs=0.02)


def test_a_recording_is_as_surprising_step_by_step_as_in_a_batch(
    model: VRNN, synthetic_corpus: Corpus, monkeypatch: pytest.MonkeyPatch
):
    data = pipeline.dataset(synthetic_corpus, model.features, cache=False, progress=False)
    expected = np.concatenate([surprisals(model, *batch) for batch in data])
    found: list[float] = []
    monkeypatch.setattr(Describer, "_rank", lambda self, surprisal: found.append(surprisal))
    recognizer = Recognizer(model)
    for utterance in synthetic_corpus:
        recognizer.recognize(utterance.path)
    assert found == pytest.approx(expected.tolist(), rel=1e-3, nan_ok=True)


def test_many_batches_are_as_surprising_as_each_of_them(model: VRNN, synthetic_corpus: Corpus):
    """Many go through one graph, few do not."""
    data = pipeline.dataset(
        synthetic_corpus, model.features, batch_size=1, cache=False, progress=False
    )
    expected = np.concatenate([surprisals(model, *batch) for batch in data])
    copy = VRNN(model.classes, model.preset)
    copy.set_weights(model.get_weights())
    assert int(data.cardinality()) >= WORTH_TRACING
    found = learn_familiarity(copy, data)
    quantiles = Familiarity.among(expected.tolist()).quantiles
    assert found is not None
    assert found.quantiles == pytest.approx(quantiles, rel=1e-4)


def test_it_is_unknown_of_a_single_instant_and_to_a_model_that_has_not_learnt_it(model: VRNN):
    short = np.random.default_rng(0).normal(0, 0.1, model.features.window_length)
    assert Recognizer(model).recognize_samples(short)["familiarity"] is None
    new = VRNN(model.classes, model.preset)
    new.adapt(np.random.default_rng(0).normal(size=(2, 3, *model.observation_shape)))
    assert new.familiarity is None
    assert Recognizer(new).recognize_samples(np.tile(short, 4))["familiarity"] is None


def test_it_is_saved_with_the_model(model: VRNN, synthetic_corpus: Corpus, tmp_path: Path):
    data = pipeline.dataset(synthetic_corpus, model.features, cache=False, progress=False)
    files.save(model, tmp_path / "x.keras")
    copy = files.load(tmp_path / "x.keras")
    assert copy.familiarity == model.familiarity
    assert learn_familiarity(copy, data) != model.familiarity
