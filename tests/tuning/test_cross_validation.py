"""Folds inside the training subset, and how their accuracies become a score."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ser_keras.corpora.utterance import Corpus, Utterance
from ser_keras.errors import ConfigurationError, CorpusError
from ser_keras.evaluation.evaluate import evaluate
from ser_keras.features import extraction
from ser_keras.model.settings import Preset
from ser_keras.training import pipeline
from ser_keras.tuning import fold_trainer
from ser_keras.tuning.cross_validation import Curve, Protocol, folds, score, should_prune
from ser_keras.tuning.fold_trainer import FoldTrainer


def corpus_of(counts: dict[str, int], speakers: int = 4) -> Corpus:
    utterances = [
        Utterance(Path(f"{emotion}-{take:03d}.wav"), emotion, speaker=f"{take % speakers}")
        for emotion, count in counts.items()
        for take in range(count)
    ]
    return Corpus("made-up", tuple(utterances), tuple(counts))


@pytest.mark.parametrize("by", ["random", "speaker"])
def test_every_utterance_is_held_out_once_and_never_trained_on_then(by: str):
    corpus = corpus_of({"calm": 17, "angry": 9, "sad": 12})
    found = folds(corpus, Protocol(folds=4, by=by))
    together = np.concatenate([held_out for _, held_out in found])
    assert sorted(together.tolist()) == list(range(len(corpus)))
    for training, held_out in found:
        assert not set(training) & set(held_out)
        assert len(training) + len(held_out) == len(corpus)


def test_random_folds_are_even_in_size_and_emotion():
    corpus = corpus_of({"calm": 17, "angry": 9, "sad": 12})
    held_out = [chosen for _, chosen in folds(corpus, Protocol(folds=4))]
    assert {len(chosen) for chosen in held_out} <= {9, 10}
    labels = corpus.labels()
    counts = np.array([np.bincount(labels[chosen], minlength=3) for chosen in held_out])
    assert np.all(counts.max(axis=0) - counts.min(axis=0) <= 1)


def test_no_speaker_is_in_two_folds_by_speaker():
    corpus = corpus_of({"calm": 20, "angry": 20}, speakers=7)
    found = folds(corpus, Protocol(folds=3, by="speaker"))
    speakers = [{corpus[int(index)].speaker for index in held_out} for _, held_out in found]
    assert not speakers[0] & speakers[1]
    assert not speakers[1] & speakers[2]
    assert not speakers[0] & speakers[2]


def test_folds_depend_on_the_seed_and_the_utterances_alone():
    corpus = corpus_of({"calm": 10, "angry": 10})
    turned = corpus.subset(reversed(range(len(corpus))))

    def paths(one: Corpus, seed: int) -> list[set[Path]]:
        return [
            {one[int(index)].path for index in held_out}
            for _, held_out in folds(one, Protocol(folds=2, seed=seed))
        ]

    assert paths(corpus, 0) == paths(turned, 0)
    assert paths(corpus, 0) != paths(corpus, 1)


@pytest.mark.parametrize("by", ["random", "speaker"])
def test_an_emotion_missing_from_a_fold_is_named(by: str):
    with pytest.raises(
        CorpusError, match=r"fold \d of 4 by .*: expected every .* no utterance of angry"
    ):
        folds(corpus_of({"calm": 20, "angry": 3}), Protocol(folds=4, by=by))


def test_an_empty_training_subset_is_refused():
    with pytest.raises(CorpusError, match="expected utterances to train on, found none"):
        folds(corpus_of({"calm": 0}), Protocol())


@pytest.mark.filterwarnings("ignore:.*utterances out of training")
@pytest.mark.parametrize("by", ["random", "speaker"])
def test_folds_divide_no_recording(by: str):
    # Recordings of two speakers each; of six speakers, two held out leave some recordings whole.
    corpus = corpus_of({"calm": 24, "angry": 24}, speakers=6)
    shared = tuple(
        dataclasses.replace(one, path=Path(f"{number // 2}.wav"), start=float(number))
        for number, one in enumerate(corpus)
    )
    for training, held_out in folds(
        dataclasses.replace(corpus, utterances=shared), Protocol(folds=3, by=by, seed=1)
    ):
        assert len(training)
        assert not {shared[one].path for one in training} & {shared[one].path for one in held_out}


def test_more_folds_than_speakers_are_refused():
    with pytest.raises(ConfigurationError, match="number of speakers"):
        folds(corpus_of({"calm": 20}, speakers=3), Protocol(folds=4, by="speaker"))


@pytest.mark.parametrize(
    "wrong",
    [{"folds": 1}, {"by": "age"}, {"objective": "loss"}, {"patience": 0}, {"every": 0},
     {"seed": -1}],
)  # fmt: skip
def test_an_impossible_protocol_names_the_field(wrong: dict[str, Any]):
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        Protocol(**wrong)


def test_folds_are_averaged_at_one_number_of_epochs():
    # By itself the first is best at 10 epochs, the second at 20: together they are at 20.
    one = Curve((5, 10, 15, 20), (0.1, 0.6, 0.5, 0.5), (0.1, 0.1, 0.1, 0.1))
    other = Curve((5, 10, 15, 20), (0.1, 0.2, 0.3, 0.6), (0.2, 0.4, 0.2, 0.2))
    epochs, accuracies = score([one, other], "weighted_accuracy")
    assert epochs == 20
    assert accuracies == {"weighted_accuracy": (0.5, 0.6), "unweighted_accuracy": (0.1, 0.2)}
    assert score([one, other], "unweighted_accuracy")[0] == 10


def test_a_fold_that_stopped_keeps_its_last_accuracy():
    one = Curve((5, 10), (0.4, 0.3), (0.0, 0.0))
    other = Curve((5, 10, 15), (0.1, 0.2, 0.4), (0.0, 0.0, 0.0))
    epochs, accuracies = score([one, other], "weighted_accuracy")
    assert (epochs, accuracies["weighted_accuracy"]) == (15, (0.3, 0.4))


def test_a_trial_is_pruned_where_chance_does_not_explain_its_distance():
    # By hand: for 240 predictions and .5, two standard errors of a difference are .0913.
    assert not should_prune(0.46, 0.54, 240)
    assert should_prune(0.44, 0.56, 240)
    assert not should_prune(0.44, 0.56, 24)
    assert not should_prune(0.7, 0.5, 240)


@pytest.fixture
def extracted(synthetic_corpus: Corpus, tiny_preset: Preset) -> extraction.Extraction:
    return extraction.extract_corpus(synthetic_corpus, tiny_preset.features, progress=False)


@pytest.mark.usefixtures("eagerly")
def test_a_fold_learns_what_a_new_model_would(
    extracted: extraction.Extraction, tiny_preset: Preset
):
    """The initial state is restored: nothing of the fold before may be left in the model."""
    protocol = Protocol(folds=2, every=1, seed=3)
    (training, held_out), (other_training, other_held_out) = folds(extracted.corpus, protocol)
    trainer = FoldTrainer(tiny_preset, extracted, protocol)
    trainer.fold(other_training, other_held_out)
    again = trainer.fold(training, held_out)
    assert again == FoldTrainer(tiny_preset, extracted, protocol).fold(training, held_out)
    assert again.epochs == (1, 2, 3)
    assert trainer.epochs_trained == 6


@pytest.mark.usefixtures("eagerly")
def test_the_last_accuracy_is_that_of_evaluation(
    extracted: extraction.Extraction, tiny_preset: Preset, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(fold_trainer, "SMOOTHED", 1)
    protocol = Protocol(folds=2, every=2)
    training, held_out = folds(extracted.corpus, protocol)[0]
    trainer = FoldTrainer(tiny_preset, extracted, protocol)
    curve = trainer.fold(training, held_out)
    assert curve.epochs == (2, 3)  # the last epoch is always evaluated
    report = evaluate(trainer._model, extracted.corpus.subset(held_out), progress=False)
    assert curve.weighted_accuracy[-1] == pytest.approx(report.weighted_accuracy)
    assert curve.unweighted_accuracy[-1] == pytest.approx(report.unweighted_accuracy)


@pytest.mark.usefixtures("eagerly")
def test_a_fold_without_improvement_stops(
    extracted: extraction.Extraction, tiny_preset: Preset, monkeypatch: pytest.MonkeyPatch
):
    preset = dataclasses.replace(
        tiny_preset, optimization=dataclasses.replace(tiny_preset.optimization, learning_rate=1e-12)
    ).with_settings({"epochs": 50})
    protocol = Protocol(folds=2, every=1, patience=4)
    curve = FoldTrainer(preset, extracted, protocol).fold(*folds(extracted.corpus, protocol)[0])
    assert curve.epochs == (1, 2, 3, 4, 5)


def test_held_out_utterances_are_never_trained_on(
    extracted: extraction.Extraction, tiny_preset: Preset, monkeypatch: pytest.MonkeyPatch
):
    given = []
    usual = pipeline.batches

    def spied(subset: extraction.Extraction, *args: Any, **kwargs: Any):
        given.append((kwargs.get("shuffle", False), set(subset.corpus)))
        return usual(subset, *args, **kwargs)

    monkeypatch.setattr(pipeline, "batches", spied)
    protocol = Protocol(folds=2)
    training, held_out = folds(extracted.corpus, protocol)[0]
    trainer = FoldTrainer(tiny_preset.with_settings({"epochs": 1}), extracted, protocol)
    given.clear()
    trainer.fold(training, held_out)
    kept_out = {extracted.corpus[int(index)] for index in held_out}
    adapted, evaluated, trained = given
    assert evaluated == (False, kept_out)
    assert not adapted[1] & kept_out
    assert trained[0]
    assert not trained[1] & kept_out


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("setting", [{"schedule": "cosine"}, {"weight_average": 0.9}])
def test_a_schedule_or_averaged_weights_are_evaluated_at_the_end_alone(
    setting: dict[str, Any],
    extracted: extraction.Extraction,
    tiny_preset: Preset,
    monkeypatch: pytest.MonkeyPatch,
):
    protocol = Protocol(folds=2, every=1, patience=1)
    (training, held_out), other = folds(extracted.corpus, protocol)
    preset = tiny_preset.with_settings(setting)
    trainer = FoldTrainer(preset, extracted, protocol)
    trainer.fold(*other)
    curve = trainer.fold(training, held_out)
    assert curve.epochs == (3,)
    report = evaluate(trainer._model, extracted.corpus.subset(held_out), progress=False)
    assert curve.weighted_accuracy[0] == pytest.approx(report.weighted_accuracy)
    assert curve == FoldTrainer(preset, extracted, protocol).fold(training, held_out)


@pytest.mark.usefixtures("eagerly")
def test_copies_of_held_out_utterances_are_not_trained_on(
    synthetic_corpus: Corpus, tiny_preset: Preset, monkeypatch: pytest.MonkeyPatch
):
    preset = tiny_preset.with_settings({"copies": 1, "epochs": 1})
    varied = extraction.extract_corpus(
        synthetic_corpus, preset.features, progress=False, augmentation=preset.augmentation
    )
    assert len(varied.corpus) > len(synthetic_corpus)
    given = []
    usual = pipeline.batches

    def spied(subset: extraction.Extraction, *args: Any, **kwargs: Any):
        given.append(subset.corpus.utterances)
        return usual(subset, *args, **kwargs)

    protocol = Protocol(folds=2)
    training, held_out = folds(synthetic_corpus, protocol)[0]
    trainer = FoldTrainer(preset, varied, protocol)
    monkeypatch.setattr(pipeline, "batches", spied)
    trainer.fold(training, held_out)
    kept_out = {synthetic_corpus[int(index)] for index in held_out}
    for trained in (given[0], given[2]):
        assert len(training) < len(trained) <= 2 * len(training)
        assert not set(trained) & kept_out
    assert len(given[1]) == len(held_out)


@pytest.mark.usefixtures("eagerly")
def test_epochs_are_as_short_as_those_of_a_training(
    extracted: extraction.Extraction, tiny_preset: Preset
):
    protocol, steps = Protocol(folds=2), []
    training, held_out = folds(extracted.corpus, protocol)[0]
    for draws in (None, 4):
        settings = {"epochs": 1, "batch_size": 2, "epoch_draws": draws}
        trainer = FoldTrainer(tiny_preset.with_settings(settings), extracted, protocol)
        trainer.fold(training, held_out)
        steps.append(int(trainer._model.optimizer.iterations))
    assert steps[1] < steps[0] / 2
