"""Speech without labels: what is learnt from it, and what is not."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ser_keras.corpora import unlabeled
from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import ConfigurationError, CorpusError
from ser_keras.features.augmentation import NONE
from ser_keras.features.extraction import extract_corpus
from ser_keras.model.settings import Preset
from ser_keras.model.vrnn import VRNN
from ser_keras.training import distillation, pipeline
from ser_keras.training.run import TrainingRun, split_corpus
from ser_keras.training.train import train


@pytest.fixture
def speech(synthetic_corpus: Corpus, tmp_path: Path) -> Path:
    """Five recordings of no name that says anything, one in a folder below."""
    folder = tmp_path / "speech"
    (folder / "below").mkdir(parents=True)
    for number, utterance in enumerate(synthetic_corpus[:5]):
        shutil.copy(utterance.path, folder / ("below" if number == 4 else "") / f"{number}.wav")
    (folder / "notes.txt").write_text("no sound")
    return folder


@pytest.fixture
def mixed(synthetic_corpus: Corpus, speech: Path) -> Corpus:
    return unlabeled.add(synthetic_corpus[:6], speech)


def test_sound_files_of_a_folder_are_added_without_an_emotion(
    mixed: Corpus, synthetic_corpus: Corpus
):
    assert mixed[:6] == synthetic_corpus[:6]
    assert [one.path.name for one in mixed[6:]] == [f"{number}.wav" for number in range(5)]
    assert {one.emotion for one in mixed[6:]} == {""}
    assert mixed.labels().tolist() == [*synthetic_corpus[:6].labels().tolist(), *[-1] * 5]
    assert mixed.counts() == synthetic_corpus[:6].counts()


def test_nothing_of_the_test_subset_is_learnt_from_by_way_of_a_folder(synthetic_corpus: Corpus):
    assert synthetic_corpus.root is not None
    train_subset, test = synthetic_corpus[:6], synthetic_corpus[6:30]
    added = unlabeled.add(train_subset, synthetic_corpus.root, [test])
    known = {one.path for one in (*train_subset, *test)}
    assert {one.path for one in added[6:]} == {one.path for one in synthetic_corpus[30:]} - known
    with pytest.raises(CorpusError, match=r"expected speech that the corpus does not have, found "):
        unlabeled.add(train_subset, synthetic_corpus.root, [synthetic_corpus[6:]])
    with pytest.raises(CorpusError, match=r"nowhere: expected a folder with speech, sound files"):
        unlabeled.add(train_subset, "nowhere")


def losses(model: VRNN, corpus: Corpus) -> dict[str, float]:
    """The means that Keras reports of a corpus."""
    extraction = extract_corpus(corpus, model.features, cache=False, progress=False)
    data = pipeline.batches(extraction, batch_size=4, classes=model.classes)
    found: dict[str, float] = model.evaluate(data, verbose=0, return_dict=True)
    return found


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_class_term_is_that_of_lambda_2_nought(
    mixed: Corpus, tiny_preset: Preset, smoothing: float
):
    def model(classification_weight: float) -> VRNN:
        settings: dict[str, Any] = {
            "label_smoothing": smoothing,
            "classification_weight": classification_weight,
        }
        made = VRNN(mixed.emotions, tiny_preset.with_settings(settings), seed=0)
        made.adapt(pipeline.dataset(mixed, made.features, cache=False, progress=False))
        made.compile()
        return made

    labeled, speech = mixed[:6], mixed[6:]
    all_of_it, without = losses(model(1.0), mixed), losses(model(0.0), speech)
    known = losses(model(1.0), labeled)
    assert losses(model(1.0), speech)["loss"] == pytest.approx(without["loss"], rel=1e-6)
    expected = (6 * known["loss"] + 5 * without["loss"]) / 11
    assert all_of_it["loss"] == pytest.approx(expected, rel=1e-5)
    # The accuracy is that of what has a label.
    assert all_of_it["accuracy"] == pytest.approx(known["accuracy"])


def test_speech_alone_leaves_the_classifier_as_it_was(mixed: Corpus, tiny_preset: Preset):
    settings = {"weight_decay": 0.0, "label_smoothing": 0.1}
    model = VRNN(mixed.emotions, tiny_preset.with_settings(settings), seed=0)
    data = pipeline.dataset(mixed[6:], model.features, cache=False, progress=False)
    model.compile()
    model.adapt(data)
    before = model.cell.get_weights()
    classifier = {id(weight) for weight in model.cell.classification.weights}
    model.fit(data, epochs=2, verbose=0)
    changed = [
        not np.array_equal(one, other)
        for one, other in zip(before, model.cell.get_weights(), strict=True)
    ]
    of_classifier = [id(weight) in classifier for weight in model.cell.weights]
    assert sum(of_classifier) > 0
    assert not any(one and own for one, own in zip(changed, of_classifier, strict=True))
    assert any(changed)


def test_a_teacher_teaches_its_answers_to_speech_too(
    mixed: Corpus, tiny_preset: Preset, tmp_path: Path
):
    teacher = VRNN(mixed.emotions, tiny_preset, seed=1)
    teacher.adapt(pipeline.dataset(mixed, teacher.features, cache=False, progress=False))
    teacher.save(tmp_path / "teacher.keras")
    extraction = extract_corpus(mixed, teacher.features, cache=False, progress=False)
    found = distillation.targets(
        [str(tmp_path / "teacher.keras")], 0.5, mixed, NONE, extraction, mixed.emotions
    )
    expected = np.concatenate(
        [teacher(one[np.newaxis])["probabilities"].numpy() for one in extraction.observations]
    )
    np.testing.assert_allclose(found[6:], 0.5 * expected[6:], atol=1e-5)
    one_hot = np.eye(len(mixed.emotions))[mixed.labels()[:6]]
    np.testing.assert_allclose(found[:6], 0.5 * expected[:6] + 0.5 * one_hot, atol=1e-5)


def test_a_run_learns_from_a_folder_of_speech(
    tiny_run: TrainingRun, speech: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    samples, rate = soundfile.read(speech / "0.wav")
    soundfile.write(speech / "short.wav", samples[: rate // 20], rate)
    short = tiny_run.preset.with_settings({"epochs": 1})
    run = dataclasses.replace(tiny_run, unlabeled=str(speech), preset=short)
    assert TrainingRun.from_dict(run.to_dict()) == run
    model = train(run, tmp_path / "run")
    told = capsys.readouterr().err
    assert "6 recordings without a label" in told
    assert "skipped 1 utterance shorter than one window" in told
    assert model.classes == split_corpus(run)["train"].emotions
    alone = train(dataclasses.replace(run, unlabeled=None), tmp_path / "alone")
    pairs = zip(model.get_weights(), alone.get_weights(), strict=True)
    assert not all(np.array_equal(one, other) for one, other in pairs)


def test_shards_and_speech_are_not_for_one_run():
    with pytest.raises(ConfigurationError, match="unlabeled: expected none beside features"):
        TrainingRun("ravdess", features="shards", unlabeled="speech")
