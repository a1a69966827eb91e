"""A run's configuration, split and folder."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from ser_keras import corpora
from ser_keras.corpora import splits
from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import ConfigurationError, CorpusError
from ser_keras.features import extraction
from ser_keras.features.spec import FeatureSpec
from ser_keras.model.settings import Preset
from ser_keras.training.run import TrainingRun, read_run, split_corpus


def test_every_kind_of_split_is_what_the_splits_say(tiny_run: TrainingRun, manifest: Path):
    corpus = corpora.load("manifest", manifest)
    for kind, fold in (("speaker", 1), ("session", 1), ("predefined", 0)):
        run = dataclasses.replace(tiny_run, split=kind, fold=fold, validation_fraction=0.0)
        subsets = split_corpus(run)
        training, test = splits.split(corpus, kind, fold, seed=7)
        assert list(subsets) == ["train", "test"]
        assert list(subsets["train"]) == list(training)
        assert list(subsets["test"]) == list(test)
    assert {utterance.speaker for utterance in test} == {"02"}


def test_speakers_are_left_out_in_as_many_groups_as_are_asked_for(tmp_path: Path):
    for speaker in range(6):
        (tmp_path / f"{speaker}.wav").touch()
    table = ["path,emotion,speaker", *(f"{speaker}.wav,calm,{speaker}" for speaker in range(6))]
    (tmp_path / "own.csv").write_text("\n".join(table), encoding="utf-8")
    run = TrainingRun(
        "manifest", str(tmp_path / "own.csv"), split="speaker", folds=3, validation_fraction=0.0
    )
    tested = [
        split_corpus(dataclasses.replace(run, fold=fold))["test"].speakers for fold in range(3)
    ]
    assert [len(speakers) for speakers in tested] == [2, 2, 2]
    assert len({speaker for speakers in tested for speaker in speakers}) == 6
    with pytest.raises(ConfigurationError, match="fold: expected 0 to 2"):
        split_corpus(dataclasses.replace(run, fold=3))
    with pytest.raises(ConfigurationError, match="folds: expected none but by speaker, found 3"):
        TrainingRun("synthetic", folds=3)


def test_validation_is_taken_from_the_training_subset(tiny_run: TrainingRun):
    subsets = split_corpus(tiny_run)
    alone = split_corpus(dataclasses.replace(tiny_run, validation_fraction=0.0))
    assert list(subsets["test"]) == list(alone["test"])
    assert {*subsets["train"], *subsets["validation"]} == {*alone["train"]}
    assert len(subsets["validation"]) == 8  # one of each emotion: 10 % of three, but at least one


@pytest.mark.parametrize("kind", ["speaker", "session"])
def test_validation_holds_out_whole_speakers_where_the_test_does(kind: str, tmp_path: Path):
    table = ["path,emotion,speaker,session"]
    for speaker in range(10):
        for take, emotion in enumerate(("calm", "sad")):
            (tmp_path / f"{speaker}-{take}.wav").touch()
            table.append(f"{speaker}-{take}.wav,{emotion},{speaker},{speaker // 2}")
    (tmp_path / "own.csv").write_text("\n".join(table), encoding="utf-8")
    run = TrainingRun("manifest", str(tmp_path / "own.csv"), split=kind, fold=1)
    subsets = split_corpus(run)
    speakers = {name: set(subset.speakers) for name, subset in subsets.items()}
    assert len(speakers["validation"]) == 1
    assert sum(map(len, speakers.values())) == 10
    assert set.union(*speakers.values()) == set(map(str, range(10)))
    alone = split_corpus(dataclasses.replace(run, validation_fraction=0.0))
    assert alone["test"] == subsets["test"]
    assert len(alone["train"].speakers) == 8


def test_synonyms_of_a_manifest_are_merged_on_demand(tmp_path: Path):
    table = ["path,emotion"]
    for number, emotion in enumerate(("Angry", "anger", "ANGRY", "sad", "sad", "sad")):
        (tmp_path / f"{number}.wav").touch()
        table.append(f"{number}.wav,{emotion}")
    (tmp_path / "own.csv").write_text("\n".join(table), encoding="utf-8")
    run = TrainingRun("manifest", str(tmp_path / "own.csv"), merge_synonyms=True)
    assert TrainingRun.from_dict(json.loads(json.dumps(run.to_dict()))) == run
    subsets = split_corpus(dataclasses.replace(run, validation_fraction=0.0))
    assert subsets["train"].emotions == ("angry", "sad")
    with pytest.raises(ConfigurationError, match=r"merge_synonyms: expected a manifest"):
        TrainingRun("synthetic", str(tmp_path), merge_synonyms=True).load_corpus()


@pytest.mark.parametrize("fraction", [-0.1, 1.0, float("nan")])
def test_an_impossible_validation_fraction_is_refused(fraction: float):
    with pytest.raises(ConfigurationError, match="validation_fraction"):
        TrainingRun("manifest", validation_fraction=fraction)


def test_a_run_survives_json(tiny_run: TrainingRun):
    through = TrainingRun.from_dict(json.loads(json.dumps(tiny_run.to_dict())))
    assert through == tiny_run
    assert through.preset.features == FeatureSpec.from_dict(tiny_run.preset.features.to_dict())


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "5", '{"run": {"corpus": "x"}}', '{"run": {"preset": {"name": "x"}}}']
)
def test_a_damaged_configuration_is_named(text: str, tmp_path: Path):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ConfigurationError, match=r"config\.json"):
        read_run(tmp_path)


def test_a_folder_without_a_run_is_named(tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"folder of a run, found no config\.json"):
        read_run(tmp_path / "nowhere")
    file = tmp_path / "model.keras"
    file.touch()
    with pytest.raises(ConfigurationError, match=r"folder of a run, found no config\.json"):
        read_run(file)


def test_recordings_that_cannot_be_used_are_reported_and_left_out(
    synthetic_corpus: Corpus,
    tiny_preset: Preset,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    text = tmp_path / "text.wav"
    text.write_text("not sound")
    corpus = Corpus(
        "own",
        (synthetic_corpus[0], dataclasses.replace(synthetic_corpus[1], path=text)),
        synthetic_corpus.emotions,
    )
    extracted = extraction.extract_corpus(corpus, tiny_preset.features, name="training subset")
    assert [*extracted.corpus] == [synthetic_corpus[0]]
    assert f"training subset: skipped {text}: " in capsys.readouterr().err


def test_a_subset_without_any_usable_recording_is_an_error(
    synthetic_corpus: Corpus, tiny_preset: Preset, capsys: pytest.CaptureFixture[str]
):
    short = dataclasses.replace(synthetic_corpus[0], end=0.1)
    corpus = Corpus("own", (short,), synthetic_corpus.emotions)
    with pytest.raises(CorpusError, match=r"training subset: expected utterances .* found none"):
        extraction.extract_corpus(corpus, tiny_preset.features, name="training subset")
    skipped = "training subset: skipped 1 utterance shorter than one window"
    assert skipped in capsys.readouterr().err
