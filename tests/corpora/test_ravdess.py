"""RAVDESS: the release's naming, its irregular copies, and folders that are not RAVDESS."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ser_keras import corpora
from ser_keras.errors import CorpusError


def test_the_release_has_1440_recordings_of_speech(ravdess_folder: Path):
    corpus = corpora.load("ravdess", ravdess_folder)

    assert len(corpus) == 1440  # Livingstone & Russo 2018, 60 by each of 24 actors
    assert corpus.counts() == {
        "neutral": 96,
        "calm": 192,
        "happy": 192,
        "sad": 192,
        "angry": 192,
        "fearful": 192,
        "disgust": 192,
        "surprised": 192,
    }
    assert len(corpus.speakers) == 24


def test_the_name_tells_emotion_speaker_and_sex(tmp_path: Path, record: Callable[..., Path]):
    record(tmp_path / "Actor_12" / "03-01-06-01-02-01-12.wav")

    (utterance,) = corpora.load("ravdess", tmp_path)

    # The release's own example: fearful, by the 12th actor, female as the number is even.
    assert utterance.emotion == "fearful"
    assert utterance.speaker == "12"
    assert utterance.sex == "female"


def test_song_and_video_are_ignored(tmp_path: Path, record: Callable[..., Path]):
    speech = record(tmp_path / "Actor_01" / "03-01-05-01-01-01-01.wav")
    record(tmp_path / "Actor_01" / "03-02-05-01-01-01-01.wav")
    record(tmp_path / "Actor_01" / "01-01-05-01-01-01-01.wav")
    (tmp_path / "Actor_01" / "02-01-05-01-01-01-01.mp4").touch()

    corpus = corpora.load("ravdess", tmp_path)

    assert [utterance.path for utterance in corpus] == [speech]


def test_song_alone_is_not_speech(tmp_path: Path, record: Callable[..., Path]):
    record(tmp_path / "Actor_01" / "03-02-05-01-01-01-01.wav")

    with pytest.raises(CorpusError, match="audio-only speech"):
        corpora.load("ravdess", tmp_path)


@pytest.mark.parametrize("ending", [".wav", ".WAV", ".flac", ".mp3", ".ogg", ".Flac"])
def test_every_sound_ending_is_accepted(tmp_path: Path, record: Callable[..., Path], ending: str):
    path = record(tmp_path / "Actor_03" / f"03-01-05-01-01-01-03{ending}")

    assert corpora.load("ravdess", tmp_path)[0].path == path


def test_the_folder_above_gives_the_same_corpus(ravdess_folder: Path):
    below = ravdess_folder / "audio_speech_actors_01-24"
    below.mkdir()
    for actor in ravdess_folder.glob("Actor_*"):
        actor.rename(below / actor.name)

    above = corpora.load("ravdess", ravdess_folder)

    assert len(above) == 1440
    assert above == corpora.load("ravdess", below)


def test_a_nested_copy_counts_once(ravdess_folder: Path):
    shutil.copytree(ravdess_folder, ravdess_folder / "audio_speech_actors_01-24")

    with pytest.warns(UserWarning, match="1440 recordings of RAVDESS are there more than once"):
        corpus = corpora.load("ravdess", ravdess_folder)

    assert len(corpus) == 1440
    assert corpus.root == ravdess_folder
    assert corpus.relative_path(corpus[0]) == "Actor_01/03-01-01-01-01-01-01.wav"


def test_copies_side_by_side_count_once(tmp_path: Path, record: Callable[..., Path]):
    name = "03-01-05-01-01-01-01.wav"
    first = record(tmp_path / "a" / "Actor_01" / name)
    record(tmp_path / "b" / "Actor_01" / name)

    with pytest.warns(UserWarning, match="count once"):
        corpus = corpora.load("ravdess", tmp_path)

    assert [utterance.path for utterance in corpus] == [first]


def test_two_versions_side_by_side_are_refused(tmp_path: Path, record: Callable[..., Path]):
    name = "03-01-05-01-01-01-01.wav"
    record(tmp_path / "clean" / "Actor_01" / name, seed=1)
    record(tmp_path / "noisy" / "Actor_01" / name, seed=2)

    with pytest.raises(CorpusError, match=r"expected one version .* found two, .* name the folder"):
        corpora.load("ravdess", tmp_path)


def test_files_of_other_names_are_skipped_and_counted(tmp_path: Path, record: Callable[..., Path]):
    good = record(tmp_path / "Actor_01" / "03-01-05-01-01-01-01.wav")
    record(tmp_path / "Actor_01" / "03-01-09-01-01-01-01.wav")  # there is no ninth emotion
    record(tmp_path / "Actor_02" / "my recording.wav")
    record(tmp_path / "Actor_01" / "._03-01-05-01-01-01-01.wav")  # macOS's, hidden: no word of it
    (tmp_path / "Actor_01" / "notes.txt").touch()

    with pytest.warns(UserWarning, match="skipped 2 sound files") as warned:
        corpus = corpora.load("ravdess", tmp_path)

    assert len(warned) == 1
    assert [utterance.path for utterance in corpus] == [good]


def test_another_folder_is_an_error_that_describes_the_layout(
    tmp_path: Path, record: Callable[..., Path]
):
    record(tmp_path / "wav" / "03a01Fa.wav")

    with pytest.raises(CorpusError) as error:
        corpora.load("ravdess", tmp_path)

    assert str(tmp_path) in str(error.value)
    assert "Actor_01" in str(error.value)
    assert "found wav" in str(error.value)


def test_a_folder_that_does_not_exist_is_an_error(tmp_path: Path):
    with pytest.raises(CorpusError, match=r"expected a folder with RAVDESS, .*found nothing"):
        corpora.load("ravdess", tmp_path / "absent")


def test_a_folder_is_required():
    with pytest.raises(CorpusError, match="RAVDESS: expected the folder that holds it"):
        corpora.load("ravdess")
