"""RAVDESS as released."""

from __future__ import annotations

from pathlib import Path

import pytest

from ser_keras import corpora
from ser_keras.corpora import splits

pytestmark = pytest.mark.real


def test_every_actor_says_the_same_60_utterances(ravdess: Path):
    corpus = corpora.load("ravdess", ravdess)

    actors = len(corpus.speakers)
    assert len(corpus) == 60 * actors
    assert corpus.counts() == {
        emotion: (4 if emotion == "neutral" else 8) * actors for emotion in corpus.emotions
    }
    assert all(utterance.path.is_file() for utterance in corpus)


def test_groups_of_speakers_have_two_men_and_two_women(ravdess: Path):
    corpus = corpora.load("ravdess", ravdess)

    assert splits.folds(corpus, "speaker") == -(-len(corpus.speakers) // 4)
    for fold in range(splits.folds(corpus, "speaker")):
        train, test = splits.by_speaker(corpus, fold)
        assert len(train) + len(test) == len(corpus)
        assert not set(train.speakers) & set(test.speakers)
        assert {u.speaker: u.sex for u in test} == dict(
            zip(test.speakers, ("male", "female") * 2, strict=True)
        )


def test_random_split_is_stratified_exactly(ravdess: Path):
    corpus = corpora.load("ravdess", ravdess)

    train, test = splits.random(corpus, test_fraction=0.2, seed=0)

    assert not set(train) & set(test)
    assert test.counts() == {
        emotion: round(0.2 * count) for emotion, count in corpus.counts().items()
    }
