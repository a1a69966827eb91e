"""Tables 1 and 2 and Figure 2 from the runs' own evaluations, resumed after a kill."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ser_keras import corpora
from ser_keras.corpora import splits
from ser_keras.errors import ConfigurationError, CorpusError
from ser_keras.evaluation import paper, plots, reproduction, results
from ser_keras.evaluation.reproduction import reproduce
from ser_keras.files import write_csv
from ser_keras.model.vrnn import VRNN
from ser_keras.training.run import TrainingRun, read_run, split_corpus
from ser_keras.training.train import train

pytestmark = pytest.mark.usefixtures("eagerly")

# design.md, section 6, and what was added to it.
REPRODUCTION_KEYS = {
    "corpus",
    "protocol",
    "attention",
    "no_attention",
    "table2",
    "figure2",
    "paper",
    "seconds",
}
ADDED_KEYS = {"preset", "difference", "table2_after_first", "versions", "git"}

RUNS = ["attention-seed-7", "no-attention-seed-7", "attention-seed-8", "no-attention-seed-8"]


class Killed(Exception):
    """Stands for a kill between two runs."""


@pytest.fixture(scope="module")
def short_run(tiny_run: TrainingRun) -> TrainingRun:
    return dataclasses.replace(tiny_run, preset=tiny_run.preset.with_settings({"epochs": 1}))


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch, manifest: Path) -> list[TrainingRun]:
    """Evaluations with known numbers instead of trained models; returns what was asked for."""
    labels = list(corpora.load("manifest", manifest).emotions)
    asked: list[TrainingRun] = []

    def train(run: TrainingRun, out: Path, label: str) -> TrainingRun:
        out.mkdir(parents=True)
        (out / "config.json").write_text(json.dumps({"run": run.to_dict()}))
        asked.append(run)
        return run

    def evaluate_run(
        run: TrainingRun, folder: Path, out: Path, figures: bool, **others: bool
    ) -> None:
        assert not figures
        assert others == {"among_corpus": False, "adapt_speakers": False}
        generator = np.random.default_rng([run.seed, run.fold, run.preset.architecture.attention])
        shares = dict(zip(labels, generator.random(len(labels)).tolist(), strict=True))
        similarity = generator.random((len(labels), len(labels))).tolist()
        if run.fold == 1:  # nobody is calm in this fold
            shares["calm"] = similarity[1][0] = None
        evaluation = {
            "weighted_accuracy": generator.random(),
            "unweighted_accuracy": generator.random(),
            "labels": labels,
            "sampled_fraction": {
                "with_first": generator.random(),
                "after_first": generator.random(),
                "per_emotion": shares,
                "per_emotion_after_first": shares,
            },
            "attention_similarity": similarity,
            "parameters": 1914,
        }
        rows = [
            {"speaker": "", "file": name, "emotion": name, "predicted": name} for name in labels
        ]
        write_csv(out / "predictions.csv", rows)
        (out / "evaluation.json").write_text(json.dumps(evaluation))

    monkeypatch.setattr(reproduction, "train", train)
    monkeypatch.setattr(results, "evaluate_run", evaluate_run)
    monkeypatch.setattr(plots, "reproduction_figures", lambda _: {})
    return asked


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def written(out: Path) -> dict[str, Any]:
    text = (out / "reproduction.json").read_text(encoding="utf-8")
    return json.loads(text, parse_constant=refuse)


def evaluations(out: Path, prefix: str) -> list[dict[str, Any]]:
    return [results.read(folder) for folder in sorted((out / "runs").glob(f"{prefix}-*"))]


def test_both_kinds_are_trained_on_the_same_splits_and_resume_after_a_kill(
    short_run: TrainingRun,
    manifest: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    usual = train

    def train_one(run: TrainingRun, out: Path, label: str) -> VRNN:
        if not run.preset.architecture.attention:
            raise Killed
        return usual(run, out, label)

    with monkeypatch.context() as patch:
        patch.setattr(reproduction, "train", train_one)
        with pytest.raises(Killed):
            reproduce(short_run, tmp_path, seeds=1)
    first = tmp_path / "runs" / "attention-seed-7" / "model.keras"
    before = first.stat().st_mtime_ns
    assert not (tmp_path / "reproduction.json").exists()

    found = reproduce(short_run, tmp_path, seeds=1)
    assert first.stat().st_mtime_ns == before
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == RUNS[:2]
    one, other = (tmp_path / "runs" / name for name in RUNS[:2])
    assert (one / "split.csv").read_text() == (other / "split.csv").read_text()
    corpus = corpora.load("manifest", manifest)
    subsets = splits.read(one / "split.csv", corpus)
    assert list(subsets) == ["train", "test"]  # no validation subset: all the rest is trained on
    assert len(subsets["train"]) + len(subsets["test"]) == len(corpus)

    assert results.read(one)["attention"] is True
    assert results.read(other)["attention"] is False
    assert results.read(other)["sampled_fraction"]["with_first"] == 1.0
    assert results.read(one)["parameters"] == results.read(other)["parameters"]
    # A kill between training and evaluating costs the evaluation alone.
    models = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("model.keras")}
    (other / "evaluation.json").unlink()
    assert reproduce(short_run, tmp_path, seeds=1)["no_attention"] == found["no_attention"]
    assert {path: path.stat().st_mtime_ns for path in models} == models
    assert "trained already" in capsys.readouterr().err

    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert 'src="http' not in html
    assert f"{100 * found['attention']['weighted_accuracy']['mean']:.1f}" in html
    assert list(tmp_path.glob("*.png"))


def test_reproduction_json_has_the_contracts_keys_and_no_nan(
    short_run: TrainingRun, stand_ins: list[TrainingRun], tmp_path: Path
):
    found = reproduce(short_run, tmp_path, seeds=2)
    on_disk = written(tmp_path)
    assert on_disk == json.loads(json.dumps(found))
    assert set(on_disk) == REPRODUCTION_KEYS | ADDED_KEYS
    assert on_disk["protocol"] == {"split": "random", "test_fraction": 0.2, "seeds": 2}
    for kind in ("attention", "no_attention"):
        assert set(on_disk[kind]) == {
            "weighted_accuracy",
            "unweighted_accuracy",
            "sampled_fraction",
            "parameters",
        }
        for accuracy in ("weighted_accuracy", "unweighted_accuracy"):
            assert set(on_disk[kind][accuracy]) == {"mean", "std", "runs"}
        assert set(on_disk[kind]["sampled_fraction"]) == {"with_first", "after_first"}
    assert set(on_disk["figure2"]) == {"labels", "similarity"}
    assert [(run.seed, run.preset.architecture.attention) for run in stand_ins] == [
        (7, True),
        (7, False),
        (8, True),
        (8, False),
    ]
    assert all(run.validation_fraction == 0.0 for run in stand_ins)
    assert read_run(tmp_path / "runs" / RUNS[3]) == stand_ins[3]


@pytest.mark.usefixtures("stand_ins")
def test_tables_and_figure_are_means_over_the_runs(short_run: TrainingRun, tmp_path: Path):
    found = reproduce(short_run, tmp_path, seeds=3)
    for kind, prefix in (("attention", "attention"), ("no_attention", "no-attention")):
        runs = evaluations(tmp_path, prefix)
        assert len(runs) == 3
        for accuracy in ("weighted_accuracy", "unweighted_accuracy"):
            values = [run[accuracy] for run in runs]
            assert found[kind][accuracy]["runs"] == values
            assert found[kind][accuracy]["mean"] == pytest.approx(sum(values) / 3)
            deviation = (sum((value - sum(values) / 3) ** 2 for value in values) / 2) ** 0.5
            assert found[kind][accuracy]["std"] == pytest.approx(deviation)
        for part in ("with_first", "after_first"):
            values = [run["sampled_fraction"][part] for run in runs]
            assert found[kind]["sampled_fraction"][part] == pytest.approx(sum(values) / 3)
    runs = evaluations(tmp_path, "attention")
    for label in runs[0]["labels"]:
        values = [run["sampled_fraction"]["per_emotion"][label] for run in runs]
        assert found["table2"][label] == pytest.approx(sum(values) / 3)
    np.testing.assert_allclose(
        found["figure2"]["similarity"],
        np.mean([run["attention_similarity"] for run in runs], axis=0),
    )
    shown = reproduction.summary(found)
    assert f"{found['attention']['weighted_accuracy']['mean']:.1%}" in shown
    assert f"{found['no_attention']['weighted_accuracy']['std']:.1%}" in shown


def test_folds_average_an_emotion_over_those_that_have_it(
    short_run: TrainingRun, stand_ins: list[TrainingRun], tmp_path: Path
):
    by_session = dataclasses.replace(short_run, split="session")
    found = reproduce(by_session, tmp_path, seeds=5)
    assert [(run.fold, run.seed) for run in stand_ins] == [(0, 7), (0, 7), (1, 7), (1, 7)]
    assert found["protocol"] == {"split": "session", "folds": 2}
    one, other = evaluations(tmp_path, "attention")
    assert other["sampled_fraction"]["per_emotion"]["calm"] is None
    assert found["table2"]["calm"] == one["sampled_fraction"]["per_emotion"]["calm"]
    assert found["figure2"]["similarity"][1][0] == one["attention_similarity"][1][0]
    assert written(tmp_path)["protocol"] == found["protocol"]


def test_a_single_run_has_no_deviation(
    short_run: TrainingRun, stand_ins: list[TrainingRun], tmp_path: Path
):
    found = reproduce(short_run, tmp_path, seeds=1)
    assert len(stand_ins) == 2
    assert found["attention"]["weighted_accuracy"]["std"] == 0.0


@pytest.mark.parametrize(
    ("setting", "named"), [({"epochs": 9}, "epochs"), ({"latent_size": 5}, "latent_size")]
)
def test_finished_runs_of_another_configuration_are_refused(
    setting: dict[str, Any],
    named: str,
    short_run: TrainingRun,
    stand_ins: list[TrainingRun],
    tmp_path: Path,
):
    reproduce(short_run, tmp_path, seeds=1)
    before = (tmp_path / "reproduction.json").read_bytes()
    other = dataclasses.replace(short_run, preset=short_run.preset.with_settings(setting))
    with pytest.raises(ConfigurationError, match=named):
        reproduce(other, tmp_path, seeds=1)
    assert len(stand_ins) == 2
    assert (tmp_path / "reproduction.json").read_bytes() == before


def test_finished_runs_on_another_split_are_refused(
    short_run: TrainingRun, stand_ins: list[TrainingRun], tmp_path: Path
):
    reproduce(short_run, tmp_path, seeds=1)
    trained = len(stand_ins)
    for folder in (tmp_path / "runs").iterdir():
        splits.write(folder / "split.csv", split_corpus(dataclasses.replace(short_run, seed=99)))
    with pytest.raises(CorpusError, match=r"split\.csv: expected the split that .* found another"):
        reproduce(short_run, tmp_path, seeds=1)
    assert len(stand_ins) == trained


def test_more_seeds_add_to_those_that_are_there(
    short_run: TrainingRun, stand_ins: list[TrainingRun], tmp_path: Path
):
    reproduce(short_run, tmp_path, seeds=1)
    found = reproduce(short_run, tmp_path, seeds=2)
    assert [run.seed for run in stand_ins] == [7, 7, 8, 8]
    assert len(found["attention"]["weighted_accuracy"]["runs"]) == 2


def test_spread_is_that_of_a_sample():
    assert reproduction.spread([0.5, 0.7]) == {
        "mean": pytest.approx(0.6),
        "std": pytest.approx(0.1 * 2**0.5),
        "runs": [0.5, 0.7],
    }


@pytest.mark.parametrize(
    ("corpus", "protocol"),
    [("ravdess", "random"), ("iemocap", "session"), ("emodb", "speaker"), ("savee", "speaker")],
)
def test_the_protocol_is_the_papers(corpus: str, protocol: str):
    assert paper.protocol(corpus) == protocol


def test_the_papers_numbers_are_table_1_and_2():
    ravdess, iemocap = paper.published("ravdess"), paper.published("iemocap")
    assert ravdess["weighted_accuracy"] == {"attention": 0.785, "no_attention": 0.799}
    assert iemocap["weighted_accuracy"] == {"attention": 0.655, "no_attention": 0.644}
    for published in (ravdess, iemocap):  # the paper's mean is that of its emotions, rounded
        assert np.mean([*published["table2"].values()]) == pytest.approx(
            published["sampled_fraction"], abs=0.001
        )
    assert paper.published("savee") == {}
