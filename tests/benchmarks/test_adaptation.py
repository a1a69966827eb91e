"""`benchmarks.adaptation` draws few recordings, and trains from a model and from nothing."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from benchmarks import adaptation
from ser_keras import corpora
from ser_keras.corpora import splits
from ser_keras.corpora.utterance import Corpus


def test_draws_are_balanced_and_nested(synthetic_corpus: Corpus):
    few, more = (adaptation.draw(synthetic_corpus, count, seed=0) for count in (1, 3))
    assert set(Counter(utterance.emotion for utterance in few).values()) == {1}
    assert set(Counter(utterance.emotion for utterance in more).values()) == {3}
    assert set(few) < set(more)


@pytest.mark.usefixtures("eagerly")
def test_it_trains_from_both_beginnings_and_resumes(
    trained_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    corpus = corpora.load("synthetic", tmp_path / "sound")
    words = ["--corpus", "synthetic", "--data", str(corpus.root), "--fold", "1"]
    words += ["--model", str(trained_run), "--counts", "0,2", "--out", str(tmp_path / "out")]
    assert adaptation.main(words) == 0
    first = json.loads((tmp_path / "out" / "adaptation.json").read_text())
    rows = [(row["count"], row["from"]) for row in first["rows"]]
    assert rows == [(0, "the model"), (2, "the model"), (2, "nothing")]
    assert "| 2 | nothing |" in capsys.readouterr().out
    _, test = splits.by_speaker(corpus, 1)
    split = (tmp_path / "out" / "2-from-nothing" / "split.csv").read_text().splitlines()
    assert sum(line.startswith("test,") for line in split) == len(test) == first["test_utterances"]
    assert adaptation.main(words) == 0
    assert json.loads((tmp_path / "out" / "adaptation.json").read_text())["rows"] == first["rows"]
