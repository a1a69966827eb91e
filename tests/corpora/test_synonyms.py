"""Words for emotions, as corpora name them, and the classes that they stand for."""

from __future__ import annotations

import pytest

from ser_keras.corpora import ravdess
from ser_keras.corpora.matching import _SYNONYMS, find_class

# As the releases of these corpora name the emotion that RAVDESS has under the name on the right.
RAVDESS_NAMES: dict[str, dict[str, str | None]] = {
    "CREMA-D": {
        "anger": "angry", "disgust": "disgust", "fear": "fearful", "happy": "happy",
        "neutral": "neutral", "sad": "sad",
    },
    "EMO-DB": {
        "anger": "angry", "boredom": None, "disgust": "disgust", "fear": "fearful",
        "happiness": "happy", "sadness": "sad", "neutral": "neutral",
    },
    "SAVEE": {
        "anger": "angry", "disgust": "disgust", "fear": "fearful", "happiness": "happy",
        "neutral": "neutral", "sadness": "sad", "surprise": "surprised",
    },
    "TESS": {
        "angry": "angry", "disgust": "disgust", "fear": "fearful", "happy": "happy",
        "neutral": "neutral", "pleasant surprise": "surprised", "sad": "sad",
    },
    "IEMOCAP": {
        "neutral": "neutral", "happy": "happy", "sad": "sad", "angry": "angry",
        "excitement": None, "frustration": None, "surprise": "surprised",
    },
    "MELD": {
        "anger": "angry", "disgust": "disgust", "fear": "fearful", "joy": "happy",
        "neutral": "neutral", "sadness": "sad", "surprise": "surprised",
    },
}  # fmt: skip


@pytest.mark.parametrize("corpus", RAVDESS_NAMES)
def test_the_names_of_other_corpora_are_found_among_those_of_ravdess(corpus: str):
    expected = RAVDESS_NAMES[corpus]
    assert {name: find_class(name, ravdess.EMOTIONS) for name in expected} == expected


@pytest.mark.parametrize("corpus", RAVDESS_NAMES)
def test_the_names_of_ravdess_are_found_among_those_of_other_corpora(corpus: str):
    theirs = tuple(RAVDESS_NAMES[corpus])
    expected = {ours: name for name, ours in RAVDESS_NAMES[corpus].items() if ours is not None}
    found = {name: find_class(name, theirs) for name in ravdess.EMOTIONS}
    assert {name: one for name, one in found.items() if one is not None} == expected


@pytest.mark.parametrize("name", ["Sad", "SAD", " sad ", "Sadness"])
def test_capitals_do_not_matter(name: str):
    assert find_class(name, ("happy", "sad")) == "sad"
    assert find_class("sad", ("happy", name)) == name


@pytest.mark.parametrize("name", ["Pleasant_surprise", "pleasant-surprise", "pleasant  surprised"])
def test_how_two_words_are_joined_does_not_matter(name: str):
    assert find_class(name, ("sad", "surprised")) == "surprised"


def test_the_very_name_comes_before_other_spellings_and_synonyms():
    assert find_class("Joy", ("joy", "Joy", "happy")) == "Joy"
    assert find_class("JOY", ("happy", "joy")) == "joy"
    assert find_class("joy", ("sad", "happy")) == "happy"


def test_a_name_that_may_mean_two_classes_means_none():
    assert find_class("happiness", ("joy", "happy")) is None


def test_words_without_synonyms_match_themselves_alone():
    assert find_class("Whispered", ("whispered", "sad")) == "whispered"
    assert find_class("sarcastic", ("whispered", "sad")) is None
    assert find_class("sad", ()) is None


def test_no_word_stands_for_two_emotions():
    words = [word for row in _SYNONYMS for word in row]
    assert len(words) == len(set(words))
    assert all(word == word.casefold() for word in words)


@pytest.mark.parametrize("name", ravdess.EMOTIONS)
def test_classes_of_one_model_stay_apart(name: str):
    others = tuple(one for one in ravdess.EMOTIONS if one != name)
    assert find_class(name, others) is None
