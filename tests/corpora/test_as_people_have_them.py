"""Corpora as they lie on disks: sorted anew, in other formats, with faults and spellings."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from ser_keras import corpora
from ser_keras.errors import CorpusError

Record = Callable[..., Path]
RAVDESS_NAMES = ("03-01-05-01-01-01-01", "03-01-04-01-02-01-02", "03-01-01-01-02-02-03")


@pytest.mark.parametrize(
    "folders",
    [("", "", ""), ("angry", "sad", "neutral"), ("a/b/c", "a/b/c", "a/b/c"), ("Actor_1",) * 3],
    ids=["flat", "by emotion", "deep", "renamed"],
)
def test_ravdess_is_told_by_its_names_alone(
    tmp_path: Path, record: Record, folders: tuple[str, ...]
):
    for folder, name in zip(folders, RAVDESS_NAMES, strict=True):
        record(tmp_path / folder / f"{name}.wav")
    record(tmp_path / folders[0] / "03-02-05-01-01-01-01.wav")  # song
    corpus = corpora.load("ravdess", tmp_path)
    assert {one.path.stem: (one.emotion, one.speaker) for one in corpus} == {
        RAVDESS_NAMES[0]: ("angry", "01"),
        RAVDESS_NAMES[1]: ("sad", "02"),
        RAVDESS_NAMES[2]: ("neutral", "03"),
    }
    assert len({corpus.relative_path(one) for one in corpus}) == 3


def test_ravdess_sorted_beside_the_release_counts_once(tmp_path: Path, record: Record):
    released = record(tmp_path / "Actor_01" / f"{RAVDESS_NAMES[0]}.wav")
    record(tmp_path / "sorted" / "angry" / f"{RAVDESS_NAMES[0]}.wav")
    with pytest.warns(UserWarning, match="count once"):
        corpus = corpora.load("ravdess", tmp_path)
    assert [one.path for one in corpus] == [released]


@pytest.mark.parametrize(
    "ending", [".aiff", ".AIF", ".au", ".w64", ".caf", ".opus", ".oga", ".m4a"]
)
def test_any_ending_that_decodes_counts(tmp_path: Path, ending: str):
    for name in ("1001_DFA_ANG_XX", "1002_DFA_SAD_XX"):
        (tmp_path / f"{name}{ending}").touch()
    (tmp_path / "1003_DFA_SAD_XX.txt").touch()
    (tmp_path / "1003_DFA_SAD_XX.raw").touch()
    assert len(corpora.load("crema-d", tmp_path)) == 2


def test_every_format_that_libsndfile_writes_is_found(tmp_path: Path):
    import soundfile

    for ending in ("aiff", "au", "caf", "flac", "mp3", "ogg", "rf64", "voc", "w64", "wav"):
        folder = tmp_path / ending
        folder.mkdir()
        soundfile.write(folder / f"03a01Fa.{ending}", [0.0] * 100, 16000, format=ending.upper())
        assert len(corpora.load("emodb", folder)) == 1


FAULTY = (
    "1076_MTI_SAD_XX", "1006_TIE_HAP_XX", "1006_TIE_NEU_XX", "1013_WSI_DIS_XX", "1013_WSI_SAD_XX",
    "1017_IWW_ANG_XX", "1017_IWW_FEA_XX",
)  # fmt: skip


def test_crema_ds_faulty_recordings_are_left_out_and_counted(tmp_path: Path, record: Record):
    good = record(tmp_path / "AudioWAV" / "1006_TIE_SAD_XX.wav")
    for name in FAULTY:
        record(tmp_path / "AudioWAV" / f"{name}.wav")
    message = "left out 7 recordings of CREMA-D: 1 silent and 6 whose sound is there under"
    with pytest.warns(UserWarning, match=message):
        corpus = corpora.load("crema-d", tmp_path)
    assert [one.path for one in corpus] == [good]


def test_crema_d_without_faulty_recordings_warns_of_nothing(tmp_path: Path, record: Record):
    record(tmp_path / "1006_TIE_SAD_XX.wav")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        corpora.load("crema-d", tmp_path)


SPELLINGS = ("Angry", "angry", "ANGRY", "anger", "Sad", "sad", "sadness", "nan", "calm")


@pytest.fixture
def spellings(tmp_path: Path, record: Record) -> Path:
    rows = ["path,emotion"]
    for number, emotion in enumerate(SPELLINGS):
        record(tmp_path / f"{number}.wav")
        rows.append(f"{number}.wav,{emotion}")
    path = tmp_path / "spellings.csv"
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


def test_names_of_one_emotion_are_classes_of_their_own_with_a_warning(spellings: Path):
    with pytest.warns(UserWarning, match=r"merge|left out") as caught:
        corpus = corpora.load("manifest", spellings)
    assert corpus.emotions == ("ANGRY", "Angry", "Sad", "anger", "angry", "calm", "sad", "sadness")
    merge, lines = sorted((str(one.message) for one in caught), key=len, reverse=True)
    assert "merge_synonyms=True" in merge
    assert "--merge-synonyms" in merge
    assert "ANGRY, Angry, anger, angry for angry; Sad, sad, sadness for sad" in merge
    assert "left out 1 of 9 lines, whose emotion is empty, nan or NA, such as line 9" in lines


@pytest.mark.filterwarnings("ignore:.*left out 1 of 9 lines")
def test_names_of_one_emotion_are_merged_on_demand(spellings: Path):
    corpus = corpora.load("manifest", spellings, merge_synonyms=True)
    assert corpus.counts() == {"angry": 4, "calm": 1, "sad": 3}


def test_merging_leaves_other_names_alone(tmp_path: Path, record: Record):
    rows = ["path,emotion"]
    for number, emotion in enumerate(("Wütend", "wütend", "wu\u0308tend", "Joy", "excited")):
        record(tmp_path / f"{number}.wav")
        rows.append(f"{number}.wav,{emotion}")
    path = tmp_path / "own.csv"
    path.write_text("\n".join(rows), encoding="utf-8")
    corpus = corpora.load("manifest", path, merge_synonyms=True)
    assert corpus.counts() == {"Joy": 1, "excited": 1, "wütend": 3}


@pytest.mark.parametrize("nothing", ["", "nan", "NaN", "NA", "N/A", "<NA>", "null", "None"])
def test_lines_without_an_emotion_are_left_out_and_counted(
    tmp_path: Path, record: Record, nothing: str
):
    record(tmp_path / "a.wav")
    record(tmp_path / "b.wav")
    path = tmp_path / "own.csv"
    path.write_text(f"path,emotion\na.wav,sad\nb.wav,{nothing}\n", encoding="utf-8")
    with pytest.warns(UserWarning, match="left out 1 of 2 lines.* such as line 3"):
        assert corpora.load("manifest", path).emotions == ("sad",)
    path.write_text(f"path,emotion\nb.wav,{nothing}\n", encoding="utf-8")
    with pytest.raises(CorpusError, match="line 2, emotion: expected text, found nothing"):
        corpora.load("manifest", path)


def test_a_speaker_called_nan_is_unknown(tmp_path: Path, record: Record):
    record(tmp_path / "a.wav")
    path = tmp_path / "own.csv"
    path.write_text("path,emotion,speaker,session\na.wav,sad,nan,NaN\n", encoding="utf-8")
    (utterance,) = corpora.load("manifest", path)
    assert (utterance.speaker, utterance.session) == ("", "")
