"""EMO-DB, CREMA-D, SAVEE and TESS: names as released, and what each says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ser_keras import corpora
from ser_keras.errors import CorpusError


def spoken(corpus: corpora.Corpus) -> dict[str, tuple[str, str, str]]:
    return {
        utterance.path.name: (utterance.emotion, utterance.speaker, utterance.sex)
        for utterance in corpus
    }


def test_emodb(tmp_path: Path, record: Callable[..., Path]):
    for name in ("03a01Fa", "03a01Nc", "08b09Lb", "09a02Wb", "10a04Ad", "16b10Td", "14a05Eb"):
        record(tmp_path / "wav" / f"{name}.wav")
    (tmp_path / "erklaerung.txt").touch()

    assert spoken(corpora.load("emodb", tmp_path)) == {
        "03a01Fa.wav": ("happiness", "03", "male"),
        "03a01Nc.wav": ("neutral", "03", "male"),
        "08b09Lb.wav": ("boredom", "08", "female"),
        "09a02Wb.wav": ("anger", "09", "female"),
        "10a04Ad.wav": ("fear", "10", "male"),
        "14a05Eb.wav": ("disgust", "14", "female"),
        "16b10Td.wav": ("sadness", "16", "female"),
    }
    assert corpora.load("emodb", tmp_path) == corpora.load("emodb", tmp_path / "wav")


def test_emodb_takes_of_one_text_are_different_recordings(
    tmp_path: Path, record: Callable[..., Path]
):
    record(tmp_path / "wav" / "08a02Na.wav")
    record(tmp_path / "wav" / "08a02Nb.wav")

    assert len(corpora.load("emodb", tmp_path)) == 2


def test_crema_d(tmp_path: Path, record: Callable[..., Path]):
    for name in ("1001_DFA_ANG_XX", "1002_IEO_HAP_HI", "1040_ITH_SAD_X", "1091_WSI_NEU_XX"):
        record(tmp_path / "AudioWAV" / f"{name}.wav")
    record(tmp_path / "AudioWAV" / "1003_IEO_FEA_LO.wav")
    record(tmp_path / "AudioWAV" / "1003_IEO_DIS_MD.wav")

    assert spoken(corpora.load("crema-d", tmp_path)) == {
        "1001_DFA_ANG_XX.wav": ("anger", "1001", "male"),
        "1002_IEO_HAP_HI.wav": ("happy", "1002", "female"),
        "1003_IEO_DIS_MD.wav": ("disgust", "1003", "female"),
        "1003_IEO_FEA_LO.wav": ("fear", "1003", "female"),
        "1040_ITH_SAD_X.wav": ("sad", "1040", "male"),
        "1091_WSI_NEU_XX.wav": ("neutral", "1091", "female"),
    }


def test_crema_d_has_48_men_and_43_women(tmp_path: Path):
    (tmp_path / "AudioWAV").mkdir()
    for actor in range(1001, 1092):
        (tmp_path / "AudioWAV" / f"{actor}_DFA_ANG_XX.wav").touch()

    sexes = [utterance.sex for utterance in corpora.load("crema-d", tmp_path)]

    assert (sexes.count("male"), sexes.count("female")) == (48, 43)  # Cao et al. 2014


def test_crema_d_comes_as_wav_and_mp3(tmp_path: Path, record: Callable[..., Path]):
    wav = record(tmp_path / "AudioWAV" / "1001_DFA_ANG_XX.wav")
    record(tmp_path / "AudioMP3" / "1001_DFA_ANG_XX.mp3")

    with pytest.warns(UserWarning, match="count once"):
        corpus = corpora.load("crema-d", tmp_path)

    assert [utterance.path for utterance in corpus] == [wav]


SAVEE_EMOTIONS = {
    "a01": "anger",
    "d02": "disgust",
    "f03": "fear",
    "h04": "happiness",
    "n30": "neutral",
    "sa06": "sadness",
    "su07": "surprise",
}


def test_savee_in_folders(tmp_path: Path, record: Callable[..., Path]):
    for speaker in ("DC", "JE", "JK", "KL"):
        for name in SAVEE_EMOTIONS:
            record(tmp_path / "AudioData" / speaker / f"{name}.wav")
    (tmp_path / "AudioData" / "Info.txt").touch()

    corpus = corpora.load("savee", tmp_path)

    assert len(corpus) == 28
    assert corpus.speakers == ("DC", "JE", "JK", "KL")
    assert {utterance.path.stem: utterance.emotion for utterance in corpus} == SAVEE_EMOTIONS
    assert {utterance.sex for utterance in corpus} == {"male"}
    assert all(utterance.path.parent.name == utterance.speaker for utterance in corpus)


def test_savee_in_one_folder(tmp_path: Path, record: Callable[..., Path]):
    for speaker in ("DC", "KL"):
        for name in SAVEE_EMOTIONS:
            record(tmp_path / "ALL" / f"{speaker}_{name}.wav")

    corpus = corpora.load("savee", tmp_path)

    assert len(corpus) == 14
    assert corpus.speakers == ("DC", "KL")
    assert {u.path.stem.split("_")[1]: u.emotion for u in corpus} == SAVEE_EMOTIONS


TESS_NAMES = {
    "OAF_back_angry": ("angry", "OAF"),
    "OAF_back_disgust": ("disgust", "OAF"),
    "OAF_Fear/OAF_back_fear": ("fear", "OAF"),
    "OA_bite_neutral": ("neutral", "OAF"),  # as released
    "YAF_back_happy": ("happy", "YAF"),
    "YAF_back_ps": ("pleasant surprise", "YAF"),
    "YAF_sad/YAF_back_sad": ("sad", "YAF"),
}


def test_tess(tmp_path: Path, record: Callable[..., Path]):
    for name in TESS_NAMES:
        record(tmp_path / f"{name}.wav")

    corpus = corpora.load("tess", tmp_path)

    assert spoken(corpus) == {
        f"{name.split('/')[-1]}.wav": (emotion, speaker, "female")
        for name, (emotion, speaker) in TESS_NAMES.items()
    }


def test_tess_with_a_nested_copy_of_itself(tmp_path: Path, record: Callable[..., Path]):
    title = "TESS Toronto emotional speech set data"
    first = record(tmp_path / title / "OAF_angry" / "OAF_back_angry.wav")
    record(tmp_path / title / title / "OAF_angry" / "OAF_back_angry.wav")

    with pytest.warns(UserWarning, match="count once"):
        corpus = corpora.load("tess", tmp_path)

    assert [utterance.path for utterance in corpus] == [first]


@pytest.mark.parametrize(
    ("name", "looked_for"),
    [
        ("emodb", "03a01Fa.wav"),
        ("crema-d", "AudioWAV"),
        ("savee", "DC, JE, JK and KL"),
        ("tess", "OAF_back_angry.wav"),
    ],
)
def test_another_folder_is_an_error_that_describes_the_layout(
    tmp_path: Path, record: Callable[..., Path], name: str, looked_for: str
):
    record(tmp_path / "Actor_01" / "03-01-05-01-01-01-01.wav")

    with pytest.raises(CorpusError) as error:
        corpora.load(name, tmp_path)

    assert str(tmp_path) in str(error.value)
    assert looked_for in str(error.value)
