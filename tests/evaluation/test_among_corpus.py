"""Answers among the classes that a corpus has, and accuracy by corpus: by hand, from a model."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from ser_keras import corpora
from ser_keras.commands import main as cli
from ser_keras.corpora import Corpus
from ser_keras.evaluation import report, results
from ser_keras.evaluation.among_corpus import COLUMN, restrict
from ser_keras.evaluation.evaluate import evaluate
from ser_keras.evaluation.other_answers import measure
from ser_keras.files import finite
from ser_keras.model import files as model_files
from ser_keras.model.vrnn import VRNN

pytestmark = pytest.mark.usefixtures("eagerly", "without_plots")

CLASSES = ("neutral", "calm", "sad")
LABELS = np.array([0, 1, 2, 0, 2])
PROBABILITIES = np.array(
    [[0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.1, 0.1, 0.8],  # a, which has all three
     [0.3, 0.6, 0.1], [0.3, 0.6, 0.1]]  # b, which has no calm
)  # fmt: skip
SOURCES = {"a": [0, 1, 2], "b": [3, 4]}


def test_among_the_classes_of_its_own_corpus_an_answer_is_the_likeliest_of_those():
    own = restrict(PROBABILITIES, LABELS, SOURCES)

    np.testing.assert_allclose(own[:3], PROBABILITIES[:3])
    np.testing.assert_allclose(own[3:], [[0.75, 0, 0.25]] * 2)


def test_an_answer_sure_of_another_corpus_class_is_still_one_of_its_own():
    sure = np.array([[1.0, 0.0, 0.0]], np.float32)

    assert restrict(sure, np.array([2]), {"a": [0]}).tolist() == [[0.0, 0.0, 1.0]]


def test_accuracy_among_own_classes_by_hand():
    rows = [
        {"corpus": name, "emotion": CLASSES[LABELS[index]]}
        for name, indexes in SOURCES.items()
        for index in indexes
    ]

    own = restrict(PROBABILITIES, LABELS, SOURCES)
    found = measure(own, LABELS, CLASSES, rows, COLUMN)

    answers = ["neutral", "neutral", "sad", "neutral", "neutral"]
    assert [row["predicted_among_corpus"] for row in rows] == answers
    assert found.weighted_accuracy == 3 / 5
    assert found.recall == {"neutral": 1.0, "calm": 0.0, "sad": 1 / 2}
    assert found.confusion_matrix == [[2, 0, 0], [1, 0, 0], [1, 0, 1]]
    assert found.by_corpus == {
        "a": {"utterances": 3, "weighted_accuracy": 2 / 3, "unweighted_accuracy": 2 / 3},
        "b": {"utterances": 2, "weighted_accuracy": 1 / 2, "unweighted_accuracy": 1 / 2},
    }


@pytest.fixture(scope="module")
def model(trained_run: Path) -> VRNN:
    return model_files.load(trained_run)


@pytest.fixture(scope="module")
def joined(synthetic_corpus: Corpus) -> Corpus:
    """The first speaker, and beside it the second as a corpus of other words and three emotions."""
    words = {"angry": "anger", "happy": "joy", "sad": "sadness"}
    other = [
        dataclasses.replace(utterance, emotion=words[utterance.emotion])
        for utterance in synthetic_corpus
        if utterance.speaker == "02" and utterance.emotion in words
    ]
    first = [index for index, one in enumerate(synthetic_corpus) if one.speaker == "01"]
    second = Corpus("manifest", tuple(other), tuple(words.values()), synthetic_corpus.root)
    return corpora.join([synthetic_corpus.subset(first), second])


def test_joined_corpora_are_reported_beside_each_other(model: VRNN, joined: Corpus):
    found = evaluate(model, joined, among_corpus=True, progress=False)

    assert found.among_corpus is not None
    for name, indexes in joined.by_source().items():
        alone = evaluate(model, joined.subset(indexes), among_corpus=True, progress=False)
        assert alone.among_corpus is not None
        for ours, its_own in ((found, alone), (found.among_corpus, alone.among_corpus)):
            assert ours.by_corpus[name] == {
                "utterances": len(indexes),
                "weighted_accuracy": its_own.weighted_accuracy,
                "unweighted_accuracy": its_own.unweighted_accuracy,
            }
    chosen = {
        row["predicted_among_corpus"] for row in found.predictions if row["corpus"] == "manifest"
    }
    assert chosen <= {"angry", "happy", "sad"}


def test_what_was_not_asked_for_is_not_in_the_files(model: VRNN, synthetic_corpus: Corpus):
    found = evaluate(model, synthetic_corpus, progress=False)

    assert not {"by_corpus", "among_corpus"} & {*found.to_dict()}
    assert not {"corpus", "predicted_among_corpus"} & {*found.predictions[0]}
    assert "corpus" not in results.summary(found)


def test_the_summary_has_a_row_for_each_corpus(model: VRNN, joined: Corpus):
    rows = results.summary(evaluate(model, joined, among_corpus=True, progress=False)).splitlines()

    table = rows[-5:]
    assert table[0].split() == ["corpus", "WA", "UA", "WA*", "UA*"]
    assert [row.split()[0] for row in table[1:4]] == ["synthetic+manifest", "manifest", "synthetic"]
    assert all(row.count("%") == 4 for row in table[1:4])
    assert table[4] == "* among only the classes that the utterance's corpus has"
    html = report.evaluation_report(
        finite(evaluate(model, joined, among_corpus=True, progress=False).to_dict()), {}, {}
    )
    assert "Recognition by corpus" in html
    assert html.count("unweighted* (%)") == 1
    plain = results.summary(evaluate(model, joined, progress=False)).splitlines()[-3:]
    assert plain[0].split() == ["corpus", "WA", "UA"]
    assert [row.split()[0] for row in plain[1:]] == ["manifest", "synthetic"]


def test_the_option_of_the_command(
    trained_run: Path, manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    few = tmp_path / "few.csv"
    with manifest.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["emotion"] in ("angry", "sad")]
    with few.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "emotion"])
        table.writerows([manifest.parent / row["path"], row["emotion"]] for row in rows)
    words = ["evaluate", trained_run, "--corpus", "manifest", "--data", few, "--among-corpus"]

    assert cli.main([str(word) for word in (*words, "--out", tmp_path / "out")]) == 0

    numbers = json.loads((tmp_path / "out" / "evaluation.json").read_text(encoding="utf-8"))
    among = numbers["among_corpus"]
    assert np.sum(among["confusion_matrix"]) == numbers["n_test"] == len(rows)
    answers = np.flatnonzero(np.sum(among["confusion_matrix"], axis=0))
    assert {numbers["labels"][index] for index in answers} <= {"angry", "sad"}
    assert among["weighted_accuracy"] >= numbers["weighted_accuracy"]
    assert "UA*" in capsys.readouterr().out


def test_the_option_for_a_run_s_own_test_subset(trained_run: Path, tmp_path: Path):
    words = ["evaluate", str(trained_run), "--among-corpus", "--out", str(tmp_path)]

    assert cli.main(words) == 0

    numbers = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    assert numbers["among_corpus"]["confusion_matrix"] == numbers["confusion_matrix"]
