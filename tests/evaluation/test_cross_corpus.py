"""Other speakers of each corpus, and each corpus left out: runs, numbers, resumption."""

from __future__ import annotations

import csv
import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ser_keras.commands import main as cli
from ser_keras.corpora import Corpus
from ser_keras.errors import ConfigurationError, CorpusError
from ser_keras.evaluation import adapted_speakers, cross_corpus, reproduction
from ser_keras.training.run import TrainingRun

pytestmark = pytest.mark.usefixtures("eagerly", "without_plots")


@pytest.fixture(scope="module")
def manifests(synthetic_corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two corpora of four speakers each; the second has other words for its four emotions."""
    words = {"angry": "anger", "fearful": "fear", "happy": "joy", "sad": "sadness"}
    paths = []
    for word_of in (dict.fromkeys(synthetic_corpus.emotions, ""), words):
        folder = tmp_path_factory.mktemp("manifest")
        paths.append(folder / "manifest.csv")
        with paths[-1].open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow(["path", "emotion", "speaker"])
            for one in synthetic_corpus:
                if one.emotion in word_of:
                    speaker = f"{one.speaker}-{one.path.stem[-2:]}"  # as if each take were one
                    name = f"{speaker}-{one.emotion}.wav"
                    shutil.copyfile(one.path, folder / name)
                    table.writerow([name, word_of[one.emotion] or one.emotion, speaker])
    return paths


@pytest.fixture
def run(manifests: list[Path], tiny_run: TrainingRun) -> TrainingRun:
    first, second = map(str, manifests)
    preset = tiny_run.preset.with_settings({"epochs": 1})
    return TrainingRun("manifest", first, preset, joined=(("manifest", second),))


def evaluation(counts: dict[str, int], accuracy: float) -> dict[str, Any]:
    one = {"weighted_accuracy": accuracy, "unweighted_accuracy": accuracy / 2}
    own = dict.fromkeys(one, accuracy + 0.25)
    return {
        "parameters": 9,
        "by_corpus": {name: {"utterances": count, **one} for name, count in counts.items()},
        "among_corpus": {"by_corpus": dict.fromkeys(counts, own)},
        "adapted_speakers": {"by_corpus": dict.fromkeys(counts, dict.fromkeys(one, 1.0))},
    }


def test_folds_are_summarized_by_corpus(
    run: TrainingRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    done: list[tuple[str, int]] = []

    def train_and_evaluate(run: TrainingRun, folder: Path, label: str, **others: bool):
        assert others == {"among_corpus": True, "adapt_speakers": True}
        assert folder.name == f"{run.split}-{run.fold}"
        done.append((run.split, run.fold))
        if run.split == "speaker":
            return evaluation({"manifest": 8, "manifest-2": 3}, 0.25 * (run.fold % 2) + 0.25)
        return evaluation({("manifest", "manifest-2")[run.fold]: 9}, 0.5)

    monkeypatch.setattr(cross_corpus, "train_and_evaluate", train_and_evaluate)

    found = cross_corpus.cross_corpus(run, tmp_path, adapt_speakers=True)

    assert done == [*(("speaker", fold) for fold in range(4)), ("corpus", 0), ("corpus", 1)]
    assert found == json.loads((tmp_path / "cross_corpus.json").read_text())
    assert found["corpora"] == ["manifest", "manifest-2"]
    second = found["by_speaker"]["manifest-2"]
    assert second["utterances"] == 12
    assert second["weighted_accuracy"]["runs"] == [0.25, 0.5, 0.25, 0.5]
    assert second["weighted_accuracy"]["mean"] == 0.375
    assert second["among_corpus"]["weighted_accuracy"]["runs"] == [0.5, 0.75, 0.5, 0.75]
    assert found["leave_one_corpus_out"]["manifest"]["unweighted_accuracy"]["runs"] == [0.25]
    assert second["adapted_speakers"]["unweighted_accuracy"]["runs"] == [1.0] * 4
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "A corpus left out" in html
    assert "weighted+" in html
    table = cross_corpus.summary(found).splitlines()
    assert table[1].split() == [
        "manifest,",
        "other",
        "speakers",
        "37.5%",
        "18.8%",
        "62.5%",
        "62.5%",
        "100.0%",
        "100.0%",
    ]
    assert [row.split(",")[0] for row in table[1:5]] == ["manifest", "manifest-2"] * 2


def test_one_corpus_is_not_several(run: TrainingRun, tmp_path: Path):
    with pytest.raises(ConfigurationError, match="corpora: expected two or more, found manifest"):
        cross_corpus.cross_corpus(dataclasses.replace(run, joined=()), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_without_speakers_to_adapt_to_nothing_is_trained(
    run: TrainingRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delattr(cross_corpus, "train_and_evaluate")
    monkeypatch.setattr(adapted_speakers, "FEWEST", 8)
    with pytest.raises(CorpusError, match="expected one with more than 8 utterances, to adapt to"):
        cross_corpus.cross_corpus(run, tmp_path, adapt_speakers=True)


def test_the_command_leaves_numbers_and_a_report_and_resumes(
    manifests: list[Path],
    tiny_settings: dict[str, Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    settings = tiny_settings | {"epochs": 1}
    words = ["cross-corpus", "--out", str(tmp_path / "out")]
    words += [word for path in manifests for word in ("--corpus", "manifest", "--data", str(path))]
    words += [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]

    assert cli.main(words) == 0

    printed = capsys.readouterr().out
    assert printed.splitlines()[0].split() == ["tested", "on", "WA", "UA", "WA*", "UA*"]
    found = json.loads((tmp_path / "out" / "cross_corpus.json").read_text())
    assert {name: each["utterances"] for name, each in found["by_speaker"].items()} == {
        "manifest": 32,
        "manifest-2": 16,
    }
    # Only what the other corpus has can be learned and tested.
    assert {name: each["utterances"] for name, each in found["leave_one_corpus_out"].items()} == {
        "manifest": 16,
        "manifest-2": 16,
    }
    assert (tmp_path / "out" / "report.html").exists()

    with monkeypatch.context() as without_training:
        without_training.delattr(reproduction, "train")
        assert cli.main(words) == 0
    assert capsys.readouterr().out == printed

    # What is asked for in addition is measured with the models that are there.
    assert cli.main([*words, "--adapt-speakers"]) == 0
    again, told = capsys.readouterr()
    assert again.splitlines()[0].split() == ["tested", "on", "WA", "UA", "WA*", "UA*", "WA+", "UA+"]
    assert [line[:64] for line in again.splitlines()[1:5]] == printed.splitlines()[1:5]
    assert told.count("is trained already") == 6
