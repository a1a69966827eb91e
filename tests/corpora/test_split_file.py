"""Splits written to a file and read again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ser_keras.corpora import Corpus, Utterance, splits
from ser_keras.errors import CorpusError


@pytest.fixture
def corpus() -> Corpus:
    """Six segments at times that are no short decimals, and a name with a comma."""
    root = Path("/corpus")
    segments = [
        Utterance(root / f"long_{number % 2}.wav", "sad", start=number / 3, end=(number + 1) / 3)
        for number in range(6)
    ]
    whole = [Utterance(root / f"{name}.wav", "happy", speaker="Zoë") for name in ("a, b", "c")]
    return Corpus.ordered("manifest", segments + whole, ("happy", "sad"), root)


def moved(corpus: Corpus, root: Path) -> Corpus:
    there = [
        replace(utterance, path=root / corpus.relative_path(utterance)) for utterance in corpus
    ]
    return Corpus(corpus.name, tuple(there), corpus.emotions, root)


def test_a_split_is_read_as_it_was_written(corpus: Corpus, tmp_path: Path):
    train, test = splits.random(corpus)
    path = tmp_path / "split.csv"

    splits.write(path, {"train": train, "test": test})

    assert splits.read(path, corpus) == {"train": train, "test": test}
    header, first, *_ = path.read_text(encoding="utf-8").splitlines()
    assert header == "part,path,start,end,emotion,speaker,session"
    assert first.startswith("train,")
    assert [file.name for file in tmp_path.iterdir()] == ["split.csv"]


def test_a_split_is_read_for_a_corpus_that_has_moved(corpus: Corpus, tmp_path: Path):
    train, test = splits.random(corpus)
    splits.write(tmp_path / "split.csv", {"train": train, "test": test})
    elsewhere = moved(corpus, Path("/elsewhere"))

    subsets = splits.read(tmp_path / "split.csv", elsewhere)

    assert subsets == {
        "train": moved(train, Path("/elsewhere")),
        "test": moved(test, Path("/elsewhere")),
    }


def test_a_leak_is_refused(corpus: Corpus, tmp_path: Path):
    path = tmp_path / "split.csv"
    with pytest.raises(CorpusError, match="one subset, found in train and again in test"):
        splits.write(path, {"train": corpus, "test": corpus[:1]})
    assert not path.exists()

    splits.write(path, {"train": corpus})
    text = path.read_text(encoding="utf-8")
    leaked = text.splitlines()[1].replace("train", "test", 1)
    path.write_text(text + leaked + "\n", encoding="utf-8")
    with pytest.raises(CorpusError, match="one subset, found in train and again in test"):
        splits.read(path, corpus)


def test_an_utterance_that_the_corpus_lacks_is_refused(corpus: Corpus, tmp_path: Path):
    splits.write(tmp_path / "split.csv", {"train": corpus})

    with pytest.raises(
        CorpusError, match=r"split.csv, line 2: .*found a, b.wav, which is not in it"
    ):
        splits.read(tmp_path / "split.csv", corpus[1:])


def test_an_emotion_that_has_changed_is_refused(corpus: Corpus, tmp_path: Path):
    splits.write(tmp_path / "split.csv", {"train": corpus})
    changed = Corpus(
        corpus.name,
        (replace(corpus[0], emotion="sad"), *corpus.utterances[1:]),
        corpus.emotions,
        corpus.root,
    )

    with pytest.raises(CorpusError, match=r"line 2: emotion: expected 'sad', as .*, found 'happy'"):
        splits.read(tmp_path / "split.csv", changed)


def test_other_files_are_refused(corpus: Corpus, tmp_path: Path):
    path = tmp_path / "split.csv"
    with pytest.raises(CorpusError, match="expected a split as CSV, found"):
        splits.read(path, corpus)
    path.write_text("path,emotion\n")
    with pytest.raises(CorpusError, match="expected the columns part,path"):
        splits.read(path, corpus)
    path.write_text("part,path,start,end,emotion,speaker,session\ntrain,c.wav,soon,,happy,,\n")
    with pytest.raises(CorpusError, match="line 2: start, end: expected seconds, found 'soon'"):
        splits.read(path, corpus)
