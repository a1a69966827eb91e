"""MELD: its tables, and its clips as released."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ser_keras import corpora
from ser_keras.corpora import splits
from ser_keras.errors import CorpusError

HEADER = (
    "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,"
    "StartTime,EndTime\n"
)
# Lines as released.
DEV = """\
1,"Oh my God, he’s lost it. He’s totally lost it.",Phoebe,sadness,negative,0,0,4,7,"00:20:57,256","00:21:00,049"
2,What?,Monica,surprise,negative,0,1,4,7,"00:21:01,927","00:21:03,261"
75,Hi Ross!,Mrs. Green,joy,positive,7,9,8,20,"0:15:28,999","0:15:29,508"
"""  # noqa: E501
TRAIN = (
    '1,also I was the point person,Chandler,neutral,neutral,0,0,8,21,"00:16:16,059","00:16:21,731"'
)
TEST = '1,Why do all you’re coffee mugs have numbers?,Mark,surprise,positive,93,6,3,19,"0:14:38,127","0:14:40,378"'  # noqa: E501


@pytest.fixture
def released(tmp_path: Path) -> Path:
    folder = tmp_path / "MELD.Raw"
    for name, rows in (("train", TRAIN), ("dev", DEV), ("test", TEST)):
        table = folder / f"{name}_sent_emo.csv"
        table.parent.mkdir(parents=True, exist_ok=True)
        table.write_text(HEADER + rows, encoding="utf-8")
    for clip in (
        "train/train_splits/dia0_utt0.mp4",
        "dev_splits_complete/dia0_utt0.mp4",
        "dev_splits_complete/dia0_utt1.mp4",
        "dev_splits_complete/dia7_utt9.mp4",
        "dev_splits_complete/._dia7_utt9.mp4",
        "output_repeated_splits_test/dia93_utt6.mp4",
        "output_repeated_splits_test/final_videos_testdia93_utt6.mp4",
    ):
        (folder / clip).parent.mkdir(parents=True, exist_ok=True)
        (folder / clip).touch()
    return folder


def test_tables_tell_emotion_speaker_and_subset(released: Path):
    corpus = corpora.load("meld", released)

    assert {
        corpus.relative_path(utterance): (utterance.split, utterance.emotion, utterance.speaker)
        for utterance in corpus
    } == {
        "train/train_splits/dia0_utt0.mp4": ("train", "neutral", "Chandler"),
        "dev_splits_complete/dia0_utt0.mp4": ("validation", "sadness", "Phoebe"),
        "dev_splits_complete/dia0_utt1.mp4": ("validation", "surprise", "Monica"),
        "dev_splits_complete/dia7_utt9.mp4": ("validation", "joy", "Mrs. Green"),
        # Of two clips the one that has the table's utterance.
        "output_repeated_splits_test/final_videos_testdia93_utt6.mp4": ("test", "surprise", "Mark"),
    }
    assert corpora.load("meld", released.parent) == corpus


def test_the_split_is_the_release_s(released: Path):
    training, test = splits.predefined(corpora.load("meld", released))
    training, validation = splits.validation(training, "predefined", 0.1)

    assert [len(subset) for subset in (training, validation, test)] == [1, 3, 1]


def test_sound_comes_before_video(released: Path, record: Callable[..., Path]):
    wav = record(released / "wav" / "dev_splits_complete" / "dia0_utt0.wav")

    assert wav in [utterance.path for utterance in corpora.load("meld", released)]


def test_a_missing_clip_is_counted(released: Path):
    (released / "dev_splits_complete" / "dia0_utt1.mp4").unlink()

    with pytest.warns(UserWarning, match="skipped 1 utterances .* dev_splits_complete/dia0_utt1"):
        corpus = corpora.load("meld", released)

    assert len(corpus) == 4


def test_a_subset_alone_will_do(released: Path):
    for clip in (released / "train" / "train_splits").iterdir():
        clip.unlink()

    assert {utterance.split for utterance in corpora.load("meld", released)} == {
        "validation",
        "test",
    }


def test_a_table_without_a_column_names_it(released: Path):
    table = released / "dev_sent_emo.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("Emotion", "Mood"), encoding="utf-8")

    with pytest.raises(CorpusError, match=r"dev_sent_emo.csv: expected a column 'Emotion', found"):
        corpora.load("meld", released)


def test_another_folder_is_an_error_that_describes_the_layout(tmp_path: Path):
    with pytest.raises(CorpusError, match=r"dia0_utt0.mp4; found 0 tables and 0 clips"):
        corpora.load("meld", tmp_path)
