"""Teachers: whose answers are learnt, and how much of them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import ConfigurationError
from ser_keras.features.augmentation import Augmentation
from ser_keras.features.extraction import extract_corpus
from ser_keras.features.spec import FeatureSpec
from ser_keras.model.settings import Preset
from ser_keras.model.vrnn import VRNN
from ser_keras.training import distillation, pipeline
from ser_keras.training.run import TrainingRun, split_corpus
from ser_keras.training.train import train

COPIES = Augmentation(copies=2)


def saved_teacher(preset: Preset, classes: tuple[str, ...], path: Path, seed: int) -> str:
    """Save an untrained model; its answers differ from recording to recording all the same."""
    teacher = VRNN(classes, preset, seed=seed)
    noise = np.random.default_rng(seed).normal(-20.0, 10.0, (4, 3, *teacher.observation_shape))
    teacher.adapt(noise.astype(np.float32))
    teacher.save(path)
    return str(path)


@pytest.fixture
def student(tiny_run: TrainingRun) -> Preset:
    return tiny_run.preset


@pytest.fixture
def teacher(student: Preset, synthetic_corpus: Corpus, tmp_path: Path) -> str:
    return saved_teacher(student, synthetic_corpus.emotions, tmp_path / "teacher.keras", seed=1)


def answers(path: str, corpus: Corpus) -> np.ndarray:
    """The mean of what a teacher answers to a recording and its copies, one call for each."""
    import keras

    model = keras.saving.load_model(path)
    extraction = extract_corpus(
        corpus, model.features, cache=False, progress=False, augmentation=COPIES
    )
    each = [model(one[np.newaxis])["probabilities"].numpy()[0] for one in extraction.observations]
    return np.tile(np.reshape(each, (3, len(corpus), -1)).mean(axis=0), (3, 1))


def test_a_recording_and_its_copies_share_the_mean_of_the_answers_to_them(
    teacher: str, student: Preset, synthetic_corpus: Corpus, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(distillation, "CHUNK", 3)
    corpus = synthetic_corpus[:8]
    extraction = extract_corpus(
        corpus, student.features, cache=False, progress=False, augmentation=COPIES
    )
    options = corpus, COPIES, extraction, corpus.emotions
    expected = answers(teacher, corpus)
    assert len(expected) == 3 * len(corpus)
    found = distillation.targets([teacher], 1.0, *options)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    half = distillation.targets([teacher], 0.5, *options)
    one_hot = np.tile(np.eye(len(corpus.emotions))[corpus.labels()], (3, 1))
    np.testing.assert_allclose(half, 0.5 * expected + 0.5 * one_hot, atol=1e-5)


def test_several_teachers_count_alike_whatever_their_features_and_order_of_classes(
    teacher: str, student: Preset, synthetic_corpus: Corpus, tmp_path: Path
):
    corpus = synthetic_corpus[:4]
    other_preset = dataclasses.replace(
        student, features=dataclasses.replace(student.features, window=0.3, hop=0.2)
    )
    classes = corpus.emotions[::-1]
    other = saved_teacher(other_preset, classes, tmp_path / "other.keras", seed=2)
    extraction = extract_corpus(
        corpus, student.features, cache=False, progress=False, augmentation=COPIES
    )
    found = distillation.targets([teacher, other], 1.0, corpus, COPIES, extraction, corpus.emotions)
    expected = (answers(teacher, corpus) + answers(other, corpus)[:, ::-1]) / 2
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_answers_are_kept_for_the_same_teacher_and_recordings_alone(
    teacher: str, student: Preset, synthetic_corpus: Corpus, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    corpus = synthetic_corpus[:4]
    extraction = extract_corpus(corpus, student.features, cache=False, progress=False)
    asking = mock.Mock(wraps=distillation._answers)
    monkeypatch.setattr(distillation, "_answers", asking)

    def targets(name: str, among: Corpus) -> np.ndarray:
        return distillation.targets(
            [name], 1.0, among, Augmentation(), extraction, corpus.emotions, tmp_path / "kept"
        )

    first = targets(teacher, corpus)
    np.testing.assert_array_equal(targets(teacher, corpus), first)
    assert asking.call_count == 1
    # Another model at the same path, or other recordings: nothing that was kept is theirs.
    saved_teacher(student, synthetic_corpus.emotions, Path(teacher), seed=5)
    assert not np.allclose(targets(teacher, corpus), first)
    targets(teacher, synthetic_corpus[4:8])
    assert asking.call_count == 3
    for kept in (tmp_path / "kept").iterdir():
        kept.write_bytes(kept.read_bytes()[:40])
    targets(teacher, corpus)
    assert asking.call_count == 4


def test_what_a_teacher_cannot_use_keeps_its_label(
    student: Preset, synthetic_corpus: Corpus, tmp_path: Path
):
    corpus = synthetic_corpus[:2]
    long = dataclasses.replace(student, features=FeatureSpec(window=60.0))
    teacher = saved_teacher(long, corpus.emotions, tmp_path / "long.keras", seed=0)
    extraction = extract_corpus(corpus, student.features, cache=False, progress=False)
    found = distillation.targets(
        [teacher], 1.0, corpus, Augmentation(), extraction, corpus.emotions
    )
    np.testing.assert_array_equal(found, np.eye(len(corpus.emotions))[corpus.labels()])


def test_a_teacher_of_other_classes_is_refused(
    student: Preset, synthetic_corpus: Corpus, tmp_path: Path
):
    teacher = saved_teacher(student, ("calm", "cross"), tmp_path / "two.keras", seed=0)
    extraction = extract_corpus(synthetic_corpus[:2], student.features, cache=False, progress=False)
    with pytest.raises(ConfigurationError, match=r"teacher .*two\.keras: expected the classes"):
        distillation.targets(
            [teacher], 0.5, synthetic_corpus[:2], Augmentation(), extraction,
            synthetic_corpus.emotions,
        )  # fmt: skip


def test_a_batch_learns_targets_instead_of_labels(student: Preset, synthetic_corpus: Corpus):
    """The class term is the cross-entropy with them; by hand, of one batch."""
    corpus = synthetic_corpus[:6]
    extraction = extract_corpus(corpus, student.features, cache=False, progress=False)
    model = VRNN(synthetic_corpus.emotions, student, seed=0)
    targets = np.random.default_rng(0).dirichlet(np.ones(8), 6).astype(np.float32)
    model.compile()
    model.adapt(pipeline.batches(extraction))
    plain = pipeline.batches(extraction, classes=model.classes)
    soft = pipeline.batches(extraction, classes=model.classes, targets=targets)
    ((inputs, labels),) = soft
    np.testing.assert_array_equal(inputs["targets"], targets)
    log_probabilities = np.log(model(inputs)["probabilities"])
    for data, expected in ((soft, targets), (plain, np.eye(8)[labels])):
        smooth = student.objective.label_smoothing
        by_hand = -(((1 - smooth) * expected + smooth / 8) * log_probabilities).sum(1).mean()
        found = model.evaluate(data, verbose=0, return_dict=True)
        assert found["class_cross_entropy"] == pytest.approx(by_hand, rel=1e-4)


def test_a_run_with_a_teacher_trains_and_records_it(
    tiny_run: TrainingRun, teacher: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    plain = train(tiny_run, tmp_path / "plain")
    taught = train(dataclasses.replace(tiny_run, teachers=(teacher,)), tmp_path / "taught")
    assert f"train: learning from {teacher}" in capsys.readouterr().err
    assert teacher in (tmp_path / "taught" / "config.json").read_text(encoding="utf-8")
    assert not (tmp_path / "taught" / "backup").exists()
    assert not np.allclose(plain.cell.class_logits.kernel, taught.cell.class_logits.kernel)
    assert len(split_corpus(tiny_run)["train"])
