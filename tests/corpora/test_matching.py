"""A corpus in the words of a model that was trained on another."""

from __future__ import annotations

from pathlib import Path

import pytest

from ser_keras import corpora
from ser_keras.corpora import Corpus, Utterance
from ser_keras.errors import CorpusError

ROOT = Path("/corpus")
CLASSES = ("calm", "angry", "sad")


def made(*emotions: str) -> Corpus:
    utterances = [
        Utterance(ROOT / f"{number}.wav", emotion, speaker=str(number), start=0.5)
        for number, emotion in enumerate(emotions)
    ]
    return Corpus.ordered("made-up", utterances, tuple(dict.fromkeys(emotions)), ROOT)


def test_utterances_have_the_models_classes_and_nothing_else_changes():
    corpus = made("sad", "anger", "boredom", "angry")
    matched = corpora.match(corpus, CLASSES)
    assert matched.corpus == Corpus(
        "made-up",
        (
            Utterance(ROOT / "0.wav", "sad", speaker="0", start=0.5),
            Utterance(ROOT / "1.wav", "angry", speaker="1", start=0.5),
            Utterance(ROOT / "3.wav", "angry", speaker="3", start=0.5),
        ),
        CLASSES,
        ROOT,
    )
    assert matched.corpus.labels().tolist() == [2, 1, 1]
    assert matched.synonyms == {"anger": "angry"}
    assert matched.unknown == {"boredom": 1}
    assert [one.emotion for one in corpus] == ["sad", "anger", "boredom", "angry"]


def test_a_corpus_in_the_models_own_words_stays_as_it_is(capsys: pytest.CaptureFixture[str]):
    corpus = made("sad", "calm", "angry")
    matched = corpora.match(corpus, corpus.emotions, "it")
    assert matched.corpus == corpus
    assert (matched.synonyms, matched.unknown) == ({}, {})
    assert capsys.readouterr().err == ""


def test_synonyms_and_unknown_emotions_are_reported_once(capsys: pytest.CaptureFixture[str]):
    corpora.match(made("bored", "Anger", "sad", "Anger", "fear", "bored"), CLASSES, "it")
    assert capsys.readouterr().err == (
        "it: Anger counts as angry\n"
        "it: left out 3 whose emotion is not a class of the model: bored (2), fear (1)\n"
    )


def test_a_corpus_without_a_known_emotion_is_an_error_that_names_both_sides():
    with pytest.raises(CorpusError) as error:
        corpora.match(made("bored", "fear", "bored"), CLASSES, "it")
    assert str(error.value) == (
        "it: expected at least one emotion among the model's classes or a synonym, calm, angry, "
        "sad; found bored (2), fear (1)"
    )


def test_an_empty_corpus_is_not_an_error():
    assert len(corpora.match(made(), CLASSES, "it").corpus) == 0
