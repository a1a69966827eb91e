"""Baselines: on the VRNN's splits, blind to the test labels, resuming, told in a table."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.metrics
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from benchmarks.accuracy import (
    bilstm,
    figure,
    log_mel_cnn,
    recordings,
    spectrograms,
    support_vectors,
    table,
)
from benchmarks.accuracy.__main__ import main
from benchmarks.accuracy.baseline import Answer, Baseline, Task
from benchmarks.accuracy.measurement import WHOLE, measure
from benchmarks.accuracy.registry import BASELINES
from benchmarks.accuracy.splits import all_splits, of_runs
from ser_keras.corpora import splits
from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import ConfigurationError, CorpusError
from ser_keras.features.extraction import Extraction
from ser_keras.files import output_folder, write_json
from ser_keras.model import presets
from ser_keras.training.run import TrainingRun

OPENSMILE = """
import sys, json, opensmile
smile = opensmile.Smile(opensmile.FeatureSet[sys.argv[1]])
print(json.dumps(smile.process_file(sys.argv[2]).to_numpy().tolist()))
"""

WITHOUT_OPENSMILE = ["mean-mfcc-svm", "bilstm", "log-mel-cnn"]


@pytest.fixture
def few_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Learn next to nothing, in no time."""
    for module in (bilstm, log_mel_cnn):
        monkeypatch.setitem(module.SETTINGS, "epochs", 2)


@pytest.fixture
def run(manifest: Path, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Run the command on the synthetic corpus and give what it wrote."""

    def run(*options: str) -> dict[str, Any]:
        out = tmp_path / "out"
        words = ["--corpus", "manifest", "--data", str(manifest), "--out", str(out), *options]
        assert main(words) == 0
        return json.loads((out / "accuracy.json").read_text())

    return run


def in_advance(answer: Callable[[Task], Answer]) -> dict[str, Baseline]:
    """A baseline whose input is an utterance's place in the corpus."""

    def inputs(extraction: Extraction) -> np.ndarray:
        return np.arange(len(extraction.corpus))[:, np.newaxis]

    return {"own": Baseline("Own", {}, inputs, answer)}


def measured(
    corpus: Corpus, kind: str, seeds: int, baselines: dict[str, Baseline], out: Path
) -> dict[str, Any]:
    """Measure on all splits of a kind."""
    return measure(corpus, list(all_splits(corpus, kind, seeds)), baselines, out)


@pytest.mark.usefixtures("few_epochs")
@pytest.mark.parametrize("name", WITHOUT_OPENSMILE)
def test_a_baseline_runs_from_sound_to_a_table(
    name: str, run: Callable[..., dict[str, Any]], capsys: pytest.CaptureFixture[str]
):
    found = run("--seeds", "1", "--only", name)["baselines"][name]

    matrix = np.array(found["confusion_matrix"])
    recall = np.diagonal(matrix) / matrix.sum(axis=1)
    assert matrix.sum() == 8  # one utterance of each of 8 emotions, of 4
    assert found["weighted_accuracy"]["mean"] == np.trace(matrix) / 8
    assert found["unweighted_accuracy"]["mean"] == pytest.approx(recall.mean())
    assert BASELINES[name].title in capsys.readouterr().out


@pytest.mark.skipif(
    importlib.util.find_spec("opensmile") is None,
    reason="needs opensmile: make benchmarks-venv, and its pytest",
)
@pytest.mark.parametrize(("name", "size"), [("egemaps-svm", 88), ("compare-svm", 6373)])
def test_functionals_are_opensmiles_of_the_whole_file(
    name: str, size: int, run: Callable[..., dict[str, Any]], synthetic_corpus: Corpus
):
    run("--seeds", "1", "--only", name)

    first = synthetic_corpus[:1]
    nothing = np.zeros(1)
    found = BASELINES[name].inputs(Extraction(first, [nothing], nothing, (), ()))
    feature_set = BASELINES[name].settings["functionals"]
    # In a process of its own, without TensorFlow: the two do not get on.
    words = [sys.executable, "-c", OPENSMILE, feature_set, str(first[0].path)]
    expected = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
    assert found.shape == (1, size)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", ["random", "speaker"])
def test_parts_are_those_that_the_vrnn_is_measured_on(
    kind: str, synthetic_corpus: Corpus, tmp_path: Path
):
    tasks: list[Task] = []

    def answer(task: Task) -> Answer:
        tasks.append(task)
        return Answer(np.zeros(len(task.test_inputs), int))

    found = measured(synthetic_corpus, kind, 2, in_advance(answer), tmp_path)

    labels = synthetic_corpus.labels()
    for number, task in enumerate(tasks):
        train, test = splits.split(synthetic_corpus, kind, fold=number, seed=number)
        parts = [
            [synthetic_corpus[index] for index in part.ravel()]
            for part in (task.inputs, task.test_inputs)
        ]
        assert parts == [list(train), list(test)]
        assert task.labels.tolist() == labels[task.inputs.ravel()].tolist()
        assert task.unseen_speakers == (kind == "speaker")
    assert len(tasks) == 2
    assert found["protocol"] == {"split": kind, "seeds" if kind == "random" else "folds": 2}


def test_accuracies_are_those_of_scikit_learn(synthetic_corpus: Corpus, tmp_path: Path):
    def answer(task: Task) -> Answer:
        return Answer(np.random.default_rng(0).integers(0, 3, len(task.test_inputs)))

    found = measured(synthetic_corpus, "random", 3, in_advance(answer), tmp_path)["baselines"][
        "own"
    ]

    weighted, unweighted = [], []
    for split in all_splits(synthetic_corpus, "random", 3):
        labels = split.test.labels()
        predicted = np.random.default_rng(0).integers(0, 3, len(labels))
        weighted.append(sklearn.metrics.accuracy_score(labels, predicted))
        unweighted.append(sklearn.metrics.balanced_accuracy_score(labels, predicted))
    for key, expected in (("weighted_accuracy", weighted), ("unweighted_accuracy", unweighted)):
        assert found[key]["runs"] == pytest.approx(expected)
        assert found[key]["mean"] == pytest.approx(np.mean(expected))
        assert found[key]["std"] == pytest.approx(np.std(expected, ddof=1))


def test_finished_splits_are_not_done_again_unless_settings_change(
    synthetic_corpus: Corpus, tmp_path: Path
):
    done: list[int] = []

    def answer(task: Task) -> Answer:
        if task.seed == 1 and len(done) == 1:
            raise KeyboardInterrupt
        done.append(task.seed)
        return Answer(np.zeros(len(task.test_inputs), int))

    baselines = in_advance(answer)
    with pytest.raises(KeyboardInterrupt):
        measured(synthetic_corpus, "random", 2, baselines, tmp_path)
    done.append(-1)
    first = measured(synthetic_corpus, "random", 2, baselines, tmp_path)
    assert done == [0, -1, 1]
    assert measured(synthetic_corpus, "random", 2, baselines, tmp_path) == first
    assert done == [0, -1, 1]

    changed = {"own": dataclasses.replace(baselines["own"], settings={"epochs": 3})}
    measured(synthetic_corpus, "random", 2, changed, tmp_path)
    assert done == [0, -1, 1, 0, 1]


def test_c_is_chosen_on_unseen_speakers_where_the_test_speakers_are_unseen():
    speakers = np.repeat(["a", "b", "c"], 16)
    labels = np.tile([0, 1], 24)
    inputs = np.random.default_rng(0).normal(size=(48, 2))
    task = Task(inputs, labels, speakers, inputs, 2, unseen_speakers=True, seed=0)

    for train, test in support_vectors._folds(task):
        assert not set(speakers[train]) & set(speakers[test])
    for _, test in support_vectors._folds(dataclasses.replace(task, unseen_speakers=False)):
        assert labels[test].tolist().count(0) == labels[test].tolist().count(1) == 8


def test_the_svm_answers_as_svc_with_a_kernel_of_its_own():
    random = np.random.default_rng(0)
    labels = np.tile([0, 1, 2], 40)
    centers = random.normal(size=(3, 30))
    inputs, tested = (random.normal(2.0 * centers[labels], 3.0) for _ in range(2))
    task = Task(inputs, labels, np.array([""] * 120), tested, 3, unseen_speakers=False, seed=0)

    found = support_vectors.classify(task)

    scaler = StandardScaler().fit(inputs)
    machine = SVC(C=found.chosen["C"], gamma="scale").fit(scaler.transform(inputs), labels)
    assert found.predicted.tolist() == machine.predict(scaler.transform(tested)).tolist()
    assert len(set(found.predicted)) == 3


def test_an_emotion_heard_once_in_training_still_gives_an_answer():
    task = Task(np.eye(2), np.array([0, 1]), np.array(["", ""]), np.eye(2), 2, False, 0)
    assert support_vectors.classify(task).predicted.tolist() == [0, 1]


def test_the_bilstm_does_not_hear_padding():
    inputs = np.random.default_rng(0).normal(3.0, 2.0, (6, 4, 5)).astype(np.float32)
    inputs[0, 2:] = bilstm.PADDING
    longer = np.pad(inputs, ((0, 0), (0, 3), (0, 0)), constant_values=bilstm.PADDING)
    model, same = bilstm.build(inputs, 3), bilstm.build(longer, 3)
    same.set_weights(model.get_weights())
    alone = model.predict(inputs[:1, :2], verbose=0)
    np.testing.assert_allclose(model.predict(inputs, verbose=0)[:1], alone, atol=1e-5)
    np.testing.assert_allclose(same.predict(longer, verbose=0)[:1], alone, atol=1e-5)


@pytest.mark.parametrize(
    ("length", "expected"), [(3, [0, 1, 2, 3, 0]), (5, [1, 2, 3, 4, 5]), (8, [2, 3, 4, 5, 6])]
)
def test_three_seconds_are_the_middle(length: int, expected: list[int]):
    assert spectrograms.centered(np.arange(1, length + 1), 5).tolist() == expected


def test_worker_processes_compute_the_same_in_the_same_order(
    synthetic_corpus: Corpus, monkeypatch: pytest.MonkeyPatch
):
    nothing = np.zeros(len(synthetic_corpus))
    extraction = Extraction(synthetic_corpus, [nothing], nothing, (), ())
    here = [spectrograms._spectrogram(utterance) for utterance in synthetic_corpus]
    np.testing.assert_array_equal(spectrograms.spectrograms(extraction), here)
    monkeypatch.setattr(recordings, "_compute_all", lambda utterances, compute: iter(utterances))
    np.testing.assert_array_equal(spectrograms.spectrograms(extraction), here)  # from the cache


def reproduction(**protocol: Any) -> dict[str, Any]:
    spread = {"mean": 0.667, "std": 0.02, "runs": []}
    row = {"weighted_accuracy": spread, "unweighted_accuracy": spread, "parameters": 2552960}
    rows = {"attention": row, "no_attention": row}
    return {"corpus": "own", "preset": "ravdess", "protocol": protocol, **rows}


ACCURACY = {
    "corpus": "own",
    "protocol": {"split": "random", "seeds": 3},
    "utterances": 9,
    "baselines": {},
}


def test_the_vrnn_is_told_beside_the_baselines(tmp_path: Path):
    path = tmp_path / "reproduction.json"
    path.write_text(json.dumps(reproduction(split="random", seeds=3, test_fraction=0.2)))
    shown = table.markdown(table.add_vrnn(ACCURACY, path))
    assert "| VRNN `ravdess` with attention | 66.7 ± 2.0 | 66.7 ± 2.0 | 2,552,960 | – |" in shown
    assert "| VRNN `ravdess` without attention | 66.7" in shown


def test_several_presets_are_told_side_by_side(tmp_path: Path):
    path = tmp_path / "reproduction.json"
    accuracy = ACCURACY
    for preset in ("ravdess", "tiny"):
        measured = reproduction(split="random", seeds=3, test_fraction=0.2)
        path.write_text(json.dumps(measured | {"preset": preset}))
        accuracy = table.add_vrnn(accuracy, path)
    shown = table.markdown(accuracy)
    assert shown.index("`ravdess` without") < shown.index("`tiny` with attention")


def test_the_figure_shows_every_model_by_parameters(tmp_path: Path):
    path = tmp_path / "reproduction.json"
    path.write_text(json.dumps(reproduction(split="random", seeds=3, test_fraction=0.2)))
    spread = {"mean": 0.5, "std": 0.1}
    baseline = {"title": "an SVM", "unweighted_accuracy": spread, "parameters": None}
    another = baseline | {"title": "another", "unweighted_accuracy": {"mean": 0.501, "std": 0.1}}
    accuracy = table.add_vrnn(ACCURACY, path) | {"baselines": {"b": another, "a": baseline}}
    (panel,) = figure.draw([accuracy]).axes
    assert [text.get_text() for text in panel.texts] == ["an SVM", "another", "VRNN ravdess"]
    heights = [text.get_position()[1] for text in panel.texts[:2]]
    assert heights == [50.0, 52.5]
    points = [line for line in panel.lines if line.get_marker() == "o"]
    assert len(points) == 2
    for line in points:
        place: Any = line.get_xydata()
        np.testing.assert_allclose(place, [[2552960, 66.7]])
    path.write_text(json.dumps(accuracy))
    out = tmp_path / "accuracy.png"
    assert figure.main([str(path), "--out", str(out)]) == 0
    assert out.read_bytes().startswith(b"\x89PNG")


def test_no_figure_of_what_is_no_measurement(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "accuracy.json"
    path.write_text("{}")
    assert figure.main([str(path), "--out", str(tmp_path / "accuracy.png")]) == 1
    assert "expected an accuracy.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(reproduction(split="random", seeds=2, test_fraction=0.2)),
        json.dumps(reproduction(split="random", seeds=3, test_fraction=0.3)),
        json.dumps(reproduction(split="speaker", folds=5)),
        "{}",
        "no JSON",
    ],
)
def test_a_vrnn_of_other_splits_is_refused(text: str, tmp_path: Path):
    path = tmp_path / "reproduction.json"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=r"reproduction\.json"):
        table.add_vrnn(ACCURACY, path)


def test_runs_of_every_split_make_a_row(tmp_path: Path):
    accuracy = ACCURACY | {"protocol": {"split": "speaker", "folds": 2}}
    folders = []
    for fold, right in enumerate((0.5, 0.7)):
        folders.append(tmp_path / str(fold))
        run = TrainingRun(corpus="own", split="speaker", fold=fold, preset=presets.get("tiny"))
        write_json(output_folder(folders[-1]) / "config.json", {"run": run.to_dict()})
        found = {"weighted_accuracy": right, "unweighted_accuracy": right, "parameters": 90}
        sampled = {"with_first": 0.5, "after_first": 0.4}
        write_json(folders[-1] / "evaluation.json", found | {"sampled_fraction": sampled})
    shown = table.markdown(table.add_runs(accuracy, folders[::-1]))
    assert "| VRNN `tiny` with attention | 60.0 ± 14.1 | 60.0 ± 14.1 | 90 | – |" in shown
    assert table.add_runs(accuracy, [])["vrnn"] == {}
    with pytest.raises(ConfigurationError, match=r"expected splits 0 to 1 of tiny, found \[1\]"):
        table.add_runs(accuracy, folders[1:])
    with pytest.raises(ConfigurationError, match=r"expected .*'random'.*, found .*'speaker'"):
        table.add_runs(ACCURACY, folders)
    (folders[0] / "evaluation.json").unlink()
    with pytest.raises(ConfigurationError, match="expected an evaluated run, found none"):
        table.add_runs(accuracy, folders)


def test_what_cannot_be_measured_is_told_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = str(tmp_path / "out")
    words = ["--corpus", "ravdess", "--data", str(tmp_path), "--out", out]
    assert main(words) == 1
    assert capsys.readouterr().err.startswith("benchmarks.accuracy: ")


def test_there_is_at_least_one_seed(synthetic_corpus: Corpus, tmp_path: Path):
    with pytest.raises(ConfigurationError, match="--seeds"):
        measured(synthetic_corpus, "random", 0, {}, tmp_path)
    with pytest.raises(CorpusError):
        measured(synthetic_corpus, "session", 1, {}, tmp_path)


def test_the_splits_of_runs_on_joined_corpora(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """One corpus is left out: train on the other alone, and test what the other has a word for."""
    few = tmp_path / "few.csv"
    header, *lines = manifest.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if ",calm," in line or ",sad," in line]
    for line in kept:
        path = line.partition(",")[0]
        (tmp_path / path).parent.mkdir(exist_ok=True)
        shutil.copy(manifest.parent / path, tmp_path / path)
    few.write_text("\n".join([header, *kept]), encoding="utf-8")
    folders = []
    for fold in (0, 1):
        run = TrainingRun(
            "manifest",
            str(manifest),
            split="corpus",
            fold=fold,
            joined=(("manifest", str(few)),),
            validation_fraction=0.0,
        )
        folders.append(tmp_path / f"corpus-{fold}")
        folders[-1].mkdir()
        write_json(folders[-1] / "config.json", {"run": run.to_dict()})
    corpus, series = of_runs(folders)
    sizes = [(len(split.train), len(split.test)) for split in series]
    # Trained on calm and sad alone, the second run is tested on those of the whole corpus.
    assert sorted(sizes) == sorted([(len(kept), len(kept)), (len(lines), len(kept))])
    assert {split.kind for split in series} == {"corpus"}

    first = in_advance(lambda task: Answer(task.labels[:1].repeat(len(task.test_inputs))))
    found = measure(corpus, series, first, tmp_path / "out")
    assert found["protocol"] == {"split": "corpus", "runs": ["corpus-0", "corpus-1"]}
    tested = [list(result) for result in found["baselines"]["own"]["by_corpus"]]
    assert [len(names) for names in tested] == [1, 1]
    shown = table.markdown(found)
    assert "by corpus, the splits of corpus-0, corpus-1" in shown
    assert all(f"{names[0]}, UA %" in shown for names in tested)
    whole = measure(corpus, series, first, tmp_path / "whole", WHOLE)
    assert whole["utterances"] == len(corpus)
    words = [word for folder in folders for word in ("--splits-of", str(folder))]
    words += ["--only", "mean-mfcc-svm", "--out", str(tmp_path / "command")]
    assert main(words) == 0
    assert "Mean MFCC" in capsys.readouterr().out
    assert main([*words, "--run", str(folders[0])]) == 1
    assert "--run: expected --corpus beside it" in capsys.readouterr().err
    other = tmp_path / "other"
    other.mkdir()
    write_json(other / "config.json", {"run": TrainingRun("synthetic").to_dict()})
    with pytest.raises(ConfigurationError, match=r"other: expected a run on .*manifest"):
        of_runs([folders[0], other])


def test_the_rows_of_the_very_runs_are_in_the_table(trained_run: Path, tmp_path: Path):
    accuracy: dict[str, Any] = {"vrnn": {}}
    assert table.add_own(accuracy, [tmp_path]) == {"vrnn": {}}  # not evaluated
    done = tmp_path / "done"
    shutil.copytree(trained_run, done)
    evaluation: dict[str, Any] = {
        "weighted_accuracy": 0.5,
        "unweighted_accuracy": 0.4,
        "parameters": 10,
    }
    evaluation["sampled_fraction"] = {"with_first": 0.6, "after_first": 0.4}
    evaluation["by_corpus"] = {"tess": {"unweighted_accuracy": 0.3}}
    write_json(done / "evaluation.json", evaluation)
    (row,) = table.add_own(accuracy, [done])["vrnn"].values()
    assert row["unweighted_accuracy"]["mean"] == 0.4
    assert row["by_corpus"] == [{"tess": {"unweighted_accuracy": 0.3}}]
    assert "with attention, done" in row["title"]
