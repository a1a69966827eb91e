"""`--corpus A --data … --corpus B --data …`: from training to evaluation, as a shell sees it."""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ser_keras import corpora
from ser_keras.commands import corpus_options, options
from ser_keras.commands import main as cli
from ser_keras.corpora import Corpus, joining, splits
from ser_keras.errors import ConfigurationError
from ser_keras.training.run import TrainingRun, read_run, refuse_another, split_corpus
from ser_keras.training.train import train

pytestmark = [
    pytest.mark.usefixtures("eagerly"),
    # Of CREMA-D's two speakers, one is left to train on.
    pytest.mark.filterwarnings("ignore:crema-d. the validation subset is drawn at random"),
]

CREMA_D = {"angry": "ANG", "disgust": "DIS", "fearful": "FEA", "happy": "HAP", "sad": "SAD"}


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    options.add(parser, *options.TRAINING)
    return parser.parse_args(words)


@pytest.fixture(scope="module")
def folders(synthetic_corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two speakers' sound under RAVDESS' names, and two more speakers' under CREMA-D's."""
    above = tmp_path_factory.mktemp("joined")
    for utterance in synthetic_corpus:
        take = utterance.path.stem[-2:]
        emotion = synthetic_corpus.emotions.index(utterance.emotion) + 1
        for actor in {"01": ("01", "05"), "02": ("02", "06")}[utterance.speaker]:
            name = f"03-01-{emotion:02d}-01-01-{take}-{actor}.wav"
            _copy(utterance.path, above / "ravdess" / f"Actor_{actor}" / name)
        if code := CREMA_D.get(utterance.emotion):
            name = f"10{utterance.speaker}_{'DFA' if take == '01' else 'IEO'}_{code}_XX.wav"
            _copy(utterance.path, above / "crema-d" / "AudioWAV" / name)
    return {folder.name: folder for folder in above.iterdir()}


def _copy(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, to)


@pytest.fixture
def pairs(folders: dict[str, Path]) -> list[str]:
    names = ("ravdess", "crema-d")
    return [word for name in names for word in ("--corpus", name, "--data", str(folders[name]))]


@pytest.fixture
def run(folders: dict[str, Path], tiny_run: TrainingRun) -> TrainingRun:
    return TrainingRun(
        "ravdess",
        str(folders["ravdess"]),
        tiny_run.preset,
        split="speaker",
        joined=(("crema-d", str(folders["crema-d"])),),
    )


def test_pairs_are_in_order_whatever_else_stands_between():
    given = parsed("--corpus", "tess", "--data", "/a", "--seed", "3", "--corpus", "synthetic",
                   "--corpus", "savee", "--data", "/c")  # fmt: skip

    assert corpus_options.pairs(given) == [("tess", "/a"), ("synthetic", None), ("savee", "/c")]


@pytest.mark.parametrize("words", [("--corpus", "tess", "--data", "/a"),
                                   ("--data", "/a", "--corpus", "tess")])  # fmt: skip
def test_one_pair_in_any_order(words: tuple[str, ...]):
    assert corpus_options.pairs(parsed(*words)) == [("tess", "/a")]


def test_a_corpus_without_its_folder_is_named(
    capfd: pytest.CaptureFixture[str], folders: dict[str, Path], tmp_path: Path
):
    words = ["--data", str(folders["ravdess"]), "--corpus", "ravdess", "--corpus", "crema-d"]

    assert cli.main(["train", *words, "--out", str(tmp_path)]) == 1
    assert "CREMA-D: expected the folder that holds it" in capfd.readouterr().err


def test_a_run_of_several_corpora_survives_json(run: TrainingRun):
    through = TrainingRun.from_dict(json.loads(json.dumps(run.to_dict())))

    assert through == run
    assert hash(through.joined) == hash(run.joined)
    assert run.corpus_name == "ravdess+crema-d"


def test_a_run_written_before_corpora_could_be_joined_is_of_one(tiny_run: TrainingRun):
    old = tiny_run.to_dict()
    del old["joined"]

    assert TrainingRun.from_dict(old) == tiny_run


def test_models_are_kept_from_telling_corpora_by_silence(
    run: TrainingRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    told = {}
    for silence in (0.0, 0.5):
        settings = {"copies": 1, "silence": silence, "epochs": 1}
        varied = dataclasses.replace(run, preset=run.preset.with_settings(settings))
        train(varied, tmp_path / str(silence))
        told[silence] = "with --set silence=1" in capsys.readouterr().err
    assert told == {0.0: True, 0.5: False}


def test_the_validation_subset_has_both_corpora(run: TrainingRun):
    subsets = split_corpus(run)

    assert {name: set(subset.by_source()) for name, subset in subsets.items()} == {
        "train": {"ravdess", "crema-d"},
        "validation": {"ravdess", "crema-d"},
        "test": {"ravdess", "crema-d"},
    }
    assert not set(subsets["train"].speakers) & set(subsets["test"].speakers)


def test_a_folder_is_the_same_run_s_wherever_the_data_lies(
    run: TrainingRun, folders: dict[str, Path], tmp_path: Path
):
    moved = TrainingRun.from_dict(
        run.to_dict()
        | {
            "data": str(shutil.copytree(folders["ravdess"], tmp_path / "there" / "r")),
            "joined": [["crema-d", str(shutil.copytree(folders["crema-d"], tmp_path / "c"))]],
        }
    )
    out = tmp_path / "out"
    out.mkdir()
    (out / "config.json").write_text(json.dumps({"run": run.to_dict()}))
    splits.write(out / "split.csv", split_corpus(run))

    refuse_another(out, moved, split_corpus(moved))

    alone = TrainingRun.from_dict(run.to_dict() | {"joined": []})
    with pytest.raises(ConfigurationError, match=r"joined \[\['crema-d', None\]\] instead of \[\]"):
        refuse_another(out, alone)


def test_from_training_to_evaluation(
    pairs: list[str],
    folders: dict[str, Path],
    tiny_settings: dict[str, Any],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    without_plots: None,
):
    joining._say.cache_clear()
    settings = tiny_settings | {"epochs": 1}
    tiny = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    out = tmp_path / "run"

    assert cli.main(["train", *pairs, "--split", "speaker", *tiny, "--out", str(out)]) == 0

    told = capfd.readouterr().err
    assert "crema-d: anger counts as angry (4), fear counts as fearful (4)\n" in told
    assert "ravdess+crema-d: 84 utterances of 6 speakers; neutral 8 + 0, calm 8 + 0" in told
    kept = read_run(out)
    assert (kept.corpus, kept.data) == ("ravdess", str(folders["ravdess"]))
    assert kept.joined == (("crema-d", str(folders["crema-d"])),)
    joined = kept.load_corpus()
    subsets = splits.read(out / "split.csv", joined)
    assert list(subsets) == ["train", "validation", "test"]
    for subset in subsets.values():
        assert set(subset.by_source()) == {"ravdess", "crema-d"}

    assert cli.main(["evaluate", str(out)]) == 0

    numbers = json.loads((out / "evaluation.json").read_text())
    assert numbers["corpus"] == "ravdess+crema-d"
    assert numbers["labels"] == list(corpora.load("ravdess", folders["ravdess"]).emotions)
    assert numbers["n_test"] == len(subsets["test"])

    other = tmp_path / "other"
    assert cli.main(["evaluate", str(out), *pairs, "--out", str(other)]) == 0
    assert json.loads((other / "evaluation.json").read_text())["n_test"] == 84


def test_features_of_several_corpora(
    pairs: list[str], tiny_settings: dict[str, Any], tmp_path: Path
):
    from ser_keras.training import shards

    tiny = [word for key, value in tiny_settings.items() for word in ("--set", f"{key}={value}")]
    out = tmp_path / "shards"

    assert cli.main(["features", *pairs, *tiny, "--out", str(out)]) == 0

    joined = corpus_options.load(parsed(*pairs))
    [(_, labels)] = shards.dataset(out, batch_size=100, only=joined[60:])
    assert labels.numpy().tolist() == joined[60:].labels().tolist()


@pytest.mark.parametrize(("words", "split"), [([], "speaker"), (["--split", "random"], "random")])
def test_reproduce_splits_several_corpora_by_speaker(
    pairs: list[str],
    words: list[str],
    split: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    asked: list[TrainingRun] = []

    def reproduce(run: TrainingRun, *_: Any) -> None:
        asked.append(run)

    monkeypatch.setattr("ser_keras.evaluation.reproduction.reproduce", reproduce)
    monkeypatch.setattr("ser_keras.evaluation.reproduction.summary", str)

    assert cli.main(["reproduce", *pairs, "--out", str(tmp_path), *words]) == 0
    assert [(run.split, run.corpus_name) for run in asked] == [(split, "ravdess+crema-d")]


def test_synonyms_are_merged_in_every_command_that_loads_a_corpus(tmp_path: Path):
    rows = ["path,emotion"]
    for number, emotion in enumerate(("Angry", "ANGRY", "sad")):
        (tmp_path / f"{number}.wav").touch()
        rows.append(f"{number}.wav,{emotion}")
    (tmp_path / "own.csv").write_text("\n".join(rows), encoding="utf-8")
    given = parsed("--corpus", "manifest", "--data", str(tmp_path / "own.csv"), "--merge-synonyms")

    assert corpus_options.load(given).emotions == ("angry", "sad")
    assert options.training_run(given).load_corpus().emotions == ("angry", "sad")
    with pytest.raises(ConfigurationError, match="merge_synonyms: expected a manifest among"):
        corpus_options.load(parsed("--corpus", "tess", "--data", "/a", "--merge-synonyms"))


def test_leaving_a_corpus_out_trains_on_the_emotions_of_the_others(
    pairs: list[str],
    tiny_settings: dict[str, Any],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    without_plots: None,
):
    settings = tiny_settings | {"epochs": 1}
    tiny = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    out = tmp_path / "run"
    words = ["--split", "corpus", "--fold", "0", *tiny, "--out", str(out)]

    assert cli.main(["train", *pairs, *words]) == 0
    assert cli.main(["evaluate", str(out), "--among-corpus"]) == 0

    numbers = json.loads((out / "evaluation.json").read_text())
    assert set(numbers["labels"]) == set(CREMA_D)
    assert set(numbers["by_corpus"]) == {"ravdess"}
    assert numbers["n_test"] == 4 * 2 * len(CREMA_D)
    assert numbers["n_unknown_emotion"] == 4 * 2 * 3
    assert "neutral (8), calm (8)" in capfd.readouterr().err
    assert cli.main(["reproduce", *pairs, "--split", "corpus", "--out", str(tmp_path / "x")]) == 1
