"""nEMO, EMOVO, EmoTale, ASED, URDU, JL corpus and ESD: names as released, and what each says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ser_keras import corpora
from ser_keras.corpora import splits
from ser_keras.errors import CorpusError

# Of each corpus: files as released, each with emotion, speaker and sex.
RELEASED = {
    "nemo": {
        "samples/EB0_anger_1.wav": ("anger", "EB0", "female"),
        "samples/IC0_fear_90.wav": ("fear", "IC0", "female"),
        "samples/KS0_happiness_7.wav": ("happiness", "KS0", "male"),
        "samples/MP0_neutral_12.wav": ("neutral", "MP0", "male"),
        "samples/TP0_sadness_3.wav": ("sadness", "TP0", "male"),
        "samples/WR0_surprised_64.wav": ("surprised", "WR0", "male"),
    },
    "emovo": {
        "EMOVO/f1/dis-f1-b1.wav": ("disgust", "f1", "female"),
        "EMOVO/f1/pau-f1-b1.wav": ("fear", "f1", "female"),
        "EMOVO/f2/gio-f2-l4.wav": ("joy", "f2", "female"),
        "EMOVO/f3/neu-f3-d2.wav": ("neutral", "f3", "female"),
        "EMOVO/m1/rab-m1-n1.wav": ("anger", "m1", "male"),
        "EMOVO/m2/sor-m2-b3.wav": ("surprise", "m2", "male"),
        "EMOVO/m3/tri-m3-n5.wav": ("sadness", "m3", "male"),
    },
    "emotale": {
        "audio/DK_001_A_1.wav": ("anger", "001", ""),
        "audio/DK_004_B_5.wav": ("boredom", "004", ""),
        "audio/DK_012_H_3.wav": ("happiness", "012", ""),
        "audio/EN_005_N_2.wav": ("neutral", "005", ""),
        "audio/EN_017_S_5.wav": ("sadness", "017", ""),
    },
    "ased": {
        "01Neutral/n1-01-01-01-01.wav": ("neutral", "01", "female"),
        "02Fearful/f2-05-02-02-33.wav": ("fearful", "33", "male"),
        "03Happy/h3-06-01-01-65.wav": ("happy", "65", "female"),
        "04Sad/S4-04-02-01-29.wav": ("sad", "29", "female"),  # as released
        "05Angry/a5-03-01-02-50.wav": ("angry", "50", "male"),
    },
    "urdu": {
        "Angry/SM1_F10_A010.wav": ("angry", "SM1", "male"),
        "Angry/SM4_F48_A0100.wav": ("angry", "SM4", "male"),
        "Happy/SF1_F12_H012.wav": ("happy", "SF1", "female"),
        "Neutral/SM5_F72_N0100.wav": ("neutral", "SM5", "male"),
        "Sad/SF10_F1_S01.wav": ("sad", "SF10", "female"),
    },
    "jl-corpus": {
        f"Raw JL corpus (unchecked and unannotated)/JL(wav+txt)/{name}.wav": spoken
        for name, spoken in {
            "female1_angry_1a_1": ("angry", "female1", "female"),
            "female2_excited_10b_2": ("excited", "female2", "female"),
            "male1_neutral_3a_2": ("neutral", "male1", "male"),
            "male2_happy_7b_1": ("happy", "male2", "male"),
            "male2_sad_15b_2": ("sad", "male2", "male"),
            "female1_anxious_10a_1": ("anxious", "female1", "female"),
            "male1_apologetic_2a_1": ("apologetic", "male1", "male"),
            "male1_assertive_4b_2": ("assertive", "male1", "male"),
            "female2_concerned_5a_2": ("concerned", "female2", "female"),
            "male2_encouraging_9b_1": ("encouraging", "male2", "male"),
        }.items()
    },
    "esd": {
        "Emotion Speech Dataset/0001/Neutral/0001_000001.wav": ("neutral", "0001", "female"),
        "Emotion Speech Dataset/0011/Angry/0011_000351.wav": ("angry", "0011", "male"),
        "Emotion Speech Dataset/0019/Happy/0019_000729.wav": ("happy", "0019", "female"),
        "Emotion Speech Dataset/0015/Sad/0015_001348.wav": ("sad", "0015", "female"),
        "Emotion Speech Dataset/0020/Surprise/0020_001750.wav": ("surprise", "0020", "male"),
    },
}


@pytest.mark.parametrize("name", RELEASED)
def test_names_tell_emotion_speaker_and_sex(tmp_path: Path, record: Callable[..., Path], name: str):
    for number, path in enumerate(RELEASED[name]):
        record(tmp_path / path, seed=number)

    corpus = corpora.load(name, tmp_path)

    assert {
        utterance.path.relative_to(tmp_path).as_posix(): (
            utterance.emotion,
            utterance.speaker,
            utterance.sex,
        )
        for utterance in corpus
    } == RELEASED[name]
    assert set(corpus.emotions) == {emotion for emotion, _, _ in RELEASED[name].values()}


@pytest.mark.parametrize("name", RELEASED)
def test_any_folder_of_the_release_is_the_same_corpus(
    tmp_path: Path, record: Callable[..., Path], name: str
):
    for path in RELEASED[name]:
        record(tmp_path / "downloads" / path)
    below = {(tmp_path / "downloads" / path).parents[0] for path in RELEASED[name]}

    above, release = (corpora.load(name, tmp_path / where) for where in (".", "downloads"))

    assert above == release
    assert len(corpora.load(name, sorted(below)[0])) >= 1


@pytest.mark.parametrize("name", RELEASED)
def test_another_folder_is_an_error_that_describes_the_layout(
    tmp_path: Path, record: Callable[..., Path], name: str
):
    record(tmp_path / "wav" / "03a01Fa.wav")  # EMO-DB

    with pytest.raises(CorpusError) as error:
        corpora.load(name, tmp_path)

    assert ".wav" in str(error.value)
    assert str(tmp_path) in str(error.value)


def test_nemo_has_ages(tmp_path: Path, record: Callable[..., Path]):
    for name in ("EB0_anger_1", "WR0_anger_1"):
        record(tmp_path / "samples" / f"{name}.wav")

    assert [utterance.age for utterance in corpora.load("nemo", tmp_path)] == [27, 23]


def test_crema_d_has_ages(tmp_path: Path, record: Callable[..., Path]):
    for actor in (1001, 1034, 1091):  # ages in VideoDemographics.csv
        record(tmp_path / "AudioWAV" / f"{actor}_DFA_ANG_XX.wav")

    assert [utterance.age for utterance in corpora.load("crema-d", tmp_path)] == [51, 74, 29]


def test_emotale_has_one_person_in_both_languages(tmp_path: Path, record: Callable[..., Path]):
    for name in ("DK_004_A_5", "EN_004_A_5", "EN_006_A_5"):
        record(tmp_path / f"{name}.wav")

    corpus = corpora.load("emotale", tmp_path)
    train, test = splits.by_speaker(corpus, fold=0)

    assert [utterance.path.stem for utterance in test] == ["DK_004_A_5", "EN_004_A_5"]
    assert train.speakers == ("006",)


def test_esd_with_folders_of_subsets(tmp_path: Path, record: Callable[..., Path]):
    for subset, number in (("train", 400), ("evaluation", 351), ("test", 372)):
        for speaker in ("0011", "0012"):
            name = f"{speaker}_{number:06d}.wav"
            record(tmp_path / "ESD" / speaker / "Angry" / subset / name)

    corpus = corpora.load("esd", tmp_path)

    assert corpus.counts()["angry"] == len(corpus) == 6
    assert corpus.root == tmp_path / "ESD"
    assert corpus.speakers == ("0011", "0012")


def test_esd_tells_emotions_by_folders_alone(tmp_path: Path, record: Callable[..., Path]):
    record(tmp_path / "0011" / "Angry" / "0011_000351.wav")
    record(tmp_path / "0011" / "0011_000352.wav")

    assert [utterance.path.stem for utterance in corpora.load("esd", tmp_path)] == ["0011_000351"]


def test_urdu_in_folders_of_speakers(tmp_path: Path, record: Callable[..., Path]):
    record(tmp_path / "Angry" / "SM1" / "SM1_F1_A01.wav")

    assert corpora.load("urdu", tmp_path).speakers == ("SM1",)
