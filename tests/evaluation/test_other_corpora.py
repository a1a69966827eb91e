"""Shipped weights on corpora that nobody trained them on: four in miniature, and a user's own."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ser_keras import corpora
from ser_keras.commands import main as cli
from ser_keras.corpora.ravdess import EMOTIONS
from ser_keras.corpora.utterance import Corpus
from ser_keras.evaluation import evaluate as evaluation
from ser_keras.features import extraction
from ser_keras.model import files as model_files
from ser_keras.model.vrnn import VRNN
from ser_keras.training import pipeline

pytestmark = pytest.mark.usefixtures("eagerly", "without_plots")

# Files as each release names them, with the class of `tiny` that each belongs to.
MINIATURES: dict[str, dict[str, str | None]] = {
    "crema-d": {
        "AudioWAV/1001_DFA_ANG_XX": "angry",
        "AudioWAV/1001_DFA_DIS_XX": "disgust",
        "AudioWAV/1002_IEO_FEA_HI": "fearful",
        "AudioWAV/1002_IEO_HAP_HI": "happy",
        "AudioWAV/1003_IEO_NEU_XX": "neutral",
        "AudioWAV/1040_ITH_SAD_X": "sad",
    },
    "emodb": {
        "wav/03a01Fa": "happy",
        "wav/03a01Nc": "neutral",
        "wav/08b09Lb": None,
        "wav/09a02Wb": "angry",
        "wav/09b03Lb": None,
        "wav/10a04Ad": "fearful",
        "wav/14a05Eb": "disgust",
        "wav/16b10Td": "sad",
    },
    "savee": {
        "DC/a01": "angry",
        "DC/d02": "disgust",
        "DC/f03": "fearful",
        "JE/h04": "happy",
        "JE/n30": "neutral",
        "JE/sa06": "sad",
        "KL/su07": "surprised",
    },
    "tess": {
        "OAF_angry/OAF_back_angry": "angry",
        "OAF_Fear/OAF_back_fear": "fearful",
        "YAF_happy/YAF_back_happy": "happy",
        "YAF_pleasant_surprised/YAF_back_ps": "surprised",
    },
}


@pytest.fixture(autouse=True)
def one_loading(tiny_weights: VRNN, monkeypatch: pytest.MonkeyPatch) -> None:
    """Load the shipped weights once: that takes longer than a miniature's evaluation."""
    monkeypatch.setattr(model_files, "load", lambda name: {"tiny": tiny_weights}[name])


@pytest.fixture(scope="module")
def tiny_weights() -> VRNN:
    return model_files.load("tiny")


def record(path: Path, seed: int) -> None:
    """1.6 s of noise: two instants of `tiny`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.random.default_rng(seed).normal(0, 0.1, 25_600), 16_000)


def own(folder: Path, *emotions: str) -> Path:
    """A user's manifest of a recording for each of these emotions."""
    for number in range(len(emotions)):
        record(folder / f"{number}.wav", number)
    path = folder / "manifest.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = [[f"{number}.wav", emotion] for number, emotion in enumerate(emotions)]
        csv.writer(file).writerows([["path", "emotion"], *rows])
    return path


def evaluate(corpus: str, data: Path, out: Path) -> int:
    words = ["evaluate", "tiny", "--corpus", corpus, "--data", data, "--out", out]
    return cli.main([str(word) for word in words])


def read(out: Path) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """`evaluation.json` and `predictions.csv`."""
    numbers = json.loads((out / "evaluation.json").read_text(encoding="utf-8"))
    with (out / "predictions.csv").open(newline="", encoding="utf-8") as file:
        return numbers, list(csv.DictReader(file))


@pytest.mark.parametrize("name", MINIATURES)
def test_shipped_weights_are_evaluated_on_another_corpus(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    files = MINIATURES[name]
    for number, file in enumerate(files):
        record(tmp_path / name / f"{file}.wav", number)
    out = tmp_path / "out"
    assert evaluate(name, tmp_path / name, out) == 0
    told = capsys.readouterr().err

    numbers, rows = read(out)
    known = {Path(file).name: emotion for file, emotion in files.items() if emotion}
    assert {Path(row["file"]).stem: row["emotion"] for row in rows} == known
    assert all(row["correct"] == str(int(row["emotion"] == row["predicted"])) for row in rows)
    assert numbers["labels"] == list(EMOTIONS)
    assert numbers["n_test"] == len(known)
    assert numbers["n_unknown_emotion"] == len(files) - len(known)
    counts = [list(known.values()).count(emotion) for emotion in EMOTIONS]
    assert np.sum(numbers["confusion_matrix"], axis=1).tolist() == counts
    assert "counts as" in told
    assert ("boredom (2)" in told) == (name == "emodb")


def test_classes_that_the_corpus_lacks_have_no_recall_and_no_share_in_its_mean(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    data = own(tmp_path, "sadness", "Sad", "joy", "anger")
    assert evaluate("manifest", data, tmp_path / "out") == 0
    numbers, rows = read(tmp_path / "out")
    assert numbers["n_test"] == 4
    present = {"happy", "sad", "angry"}
    assert {label for label, recall in numbers["recall"].items() if recall is not None} == present
    recalls = [
        np.mean([row["correct"] == "1" for row in rows if row["emotion"] == emotion])
        for emotion in present
    ]
    assert numbers["unweighted_accuracy"] == pytest.approx(np.mean(recalls))
    table = capsys.readouterr().out
    assert "nan" not in table


def test_an_unknown_emotion_is_left_out_before_anything_is_extracted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    extracted: list[str] = []

    def watched(corpus: Corpus, *values: Any, **options: Any) -> Any:
        extracted.extend(one.path.name for one in corpus)
        return extraction.extract_corpus(corpus, *values, **options)

    monkeypatch.setattr("ser_keras.evaluation.evaluate.extract_corpus", watched)
    data = own(tmp_path, "happy", "bored", "sad", "bored")
    assert evaluate("manifest", data, tmp_path / "out") == 0
    assert extracted == ["0.wav", "2.wav"]
    assert capsys.readouterr().err.count("bored (2)") == 1
    assert read(tmp_path / "out")[0]["n_unknown_emotion"] == 2


def test_nothing_is_left_where_no_emotion_is_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    data = own(tmp_path, "bored", "proud", "bored")
    assert evaluate("manifest", data, tmp_path / "out") == 1
    told = capsys.readouterr().err
    assert "bored (2), proud (1)" in told
    assert ", ".join(EMOTIONS) in told
    assert "Extracting" not in told
    assert not (tmp_path / "out").exists()


def test_names_of_the_classes_change_no_number(
    tmp_path: Path, tiny_weights: VRNN, monkeypatch: pytest.MonkeyPatch
):
    corpus = corpora.load("manifest", own(tmp_path, "angry", "happy", "bored", "sad", "surprised"))
    found = evaluation.evaluate(tiny_weights, corpus, progress=False)
    nouns = ("neutral", "calm", "joy", "Sadness", "anger", "fear", "disgust", "pleasant surprise")
    monkeypatch.setattr(tiny_weights, "classes", nouns)
    renamed = evaluation.evaluate(tiny_weights, corpus, progress=False)
    assert renamed.labels == list(nouns)
    assert list(renamed.recall) == list(nouns)
    assert renamed.confusion_matrix == found.confusion_matrix
    assert renamed.n_unknown_emotion == 1
    assert [row["correct"] for row in renamed.predictions] == [
        row["correct"] for row in found.predictions
    ]


def test_keras_own_evaluation_gives_the_same_accuracy(tmp_path: Path, tiny_weights: VRNN):
    corpus = corpora.load("manifest", own(tmp_path, "anger", "joy", "bored", "sad", "surprise"))
    found = evaluation.evaluate(tiny_weights, corpus, progress=False)
    matched = corpora.match(corpus, tiny_weights.classes)
    batches = pipeline.dataset(matched.corpus, tiny_weights.features, progress=False)
    tiny_weights.compile()
    keras_own = tiny_weights.evaluate(batches, verbose=0, return_dict=True)
    assert keras_own["accuracy"] == pytest.approx(found.weighted_accuracy)
