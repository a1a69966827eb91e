"""Utterance and Corpus."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ser_keras.corpora import Corpus, Utterance
from ser_keras.errors import CorpusError

ROOT = Path("/corpus")
EMOTIONS = ("neutral", "happy", "sad")


@pytest.fixture
def corpus() -> Corpus:
    return Corpus.ordered(
        "made-up",
        [
            Utterance(ROOT / "b" / "1.wav", "sad", speaker="bo", session="2"),
            Utterance(ROOT / "a" / "2.wav", "neutral", speaker="al", session="1", start=3.0),
            Utterance(ROOT / "a" / "2.wav", "sad", speaker="al", session="1", end=3.0),
        ],
        EMOTIONS,
        ROOT,
    )


def test_a_corpus_is_a_sequence_ordered_by_path_and_time(corpus: Corpus):
    assert len(corpus) == 3
    assert [(u.path.parent.name, u.start, u.end) for u in corpus] == [
        ("a", None, 3.0),
        ("a", 3.0, None),
        ("b", None, None),
    ]
    assert corpus[-1].speaker == "bo"
    assert list(corpus[:2]) == [corpus[0], corpus[1]]


def test_labels_index_the_emotions(corpus: Corpus):
    labels = corpus.labels()

    assert labels.dtype == np.int32
    assert labels.tolist() == [2, 0, 2]
    assert corpus.labels(("sad", "neutral")).tolist() == [0, 1, 0]


def test_a_label_outside_the_classes_is_refused(corpus: Corpus):
    with pytest.raises(CorpusError, match=r"2.wav: emotion: .* neutral, happy, found 'sad'"):
        corpus.labels(("neutral", "happy"))
    with pytest.raises(CorpusError, match="sad"):
        Corpus("made-up", corpus.utterances, ("neutral",))


def test_a_subset_keeps_the_classes(corpus: Corpus):
    subset = corpus.subset(np.array([1]))

    assert subset.emotions == EMOTIONS
    assert subset.labels().tolist() == [0]
    assert subset.counts() == {"neutral": 1, "happy": 0, "sad": 0}
    assert subset.root == ROOT


def test_speakers_and_sessions_are_sorted(corpus: Corpus):
    assert corpus.speakers == ("al", "bo")
    assert corpus.sessions == ("1", "2")


def test_an_empty_corpus_has_no_labels():
    empty = Corpus("made-up", (), EMOTIONS)

    assert empty.labels().shape == (0,)
    assert empty.counts() == {"neutral": 0, "happy": 0, "sad": 0}


def test_relative_paths_have_forward_slashes(corpus: Corpus):
    assert corpus.relative_path(corpus[0]) == "a/2.wav"
