"""A user's own CSV: what spreadsheets write is read, and errors name the line and the field."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import ser_keras as ser
from ser_keras import corpora
from ser_keras.errors import CorpusError


@pytest.fixture
def sounds(tmp_path: Path, record: Callable[..., Path]) -> Path:
    for name in ("b.wav", "a.wav", "calls/one, two.flac"):
        record(tmp_path / name)
    return tmp_path


def write(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    file = folder / "manifest.csv"
    file.write_bytes(text.encode(encoding))
    return file


def test_two_columns_are_enough(sounds: Path):
    corpus = corpora.load("manifest", write(sounds, "path,emotion\nb.wav,sad\na.wav,happy\n"))

    assert [(u.path, u.emotion) for u in corpus] == [
        (sounds / "a.wav", "happy"),
        (sounds / "b.wav", "sad"),
    ]
    assert corpus.emotions == ("happy", "sad")
    assert corpus.root == sounds


def test_all_columns_are_read_in_any_order(sounds: Path):
    text = (
        "end,start,split,session,speaker,emotion,path,notes\n"
        "2.5,1,test,Monday,Zoë,calm,a.wav,loud\n"
        ",,train,Monday,Zoë,calm,b.wav,\n"
    )
    first, second = corpora.load("manifest", write(sounds, text))

    assert (first.start, first.end, first.split) == (1.0, 2.5, "test")
    assert (first.session, first.speaker) == ("Monday", "Zoë")
    assert (second.start, second.end, second.split) == (None, None, "train")


def test_each_channel_of_a_call_is_an_utterance_of_its_own(sounds: Path, tmp_path: Path):
    text = "path,emotion,channel\na.wav,sad,1\na.wav,happy,0\nb.wav,sad,\nb.wav,sad,mix\n"
    with pytest.raises(CorpusError, match=r"line 5, path: expected a segment once"):
        corpora.load("manifest", write(sounds, text))
    corpus = corpora.load("manifest", write(sounds, text.replace("b.wav,sad,mix\n", "")))
    assert [(u.path.name, u.channel, u.emotion) for u in corpus] == [
        ("a.wav", 0, "happy"),
        ("a.wav", 1, "sad"),
        ("b.wav", None, "sad"),
    ]
    ser.splits.write(tmp_path / "split.csv", {"train": corpus[:1], "test": corpus[1:]})
    read = ser.splits.read(tmp_path / "split.csv", corpus)
    assert read == {"train": corpus[:1], "test": corpus[1:]}


@pytest.mark.parametrize("channel", ["left", "-1", "0.5", "each"])
def test_a_channel_that_is_no_number_is_refused(sounds: Path, channel: str):
    text = f"path,emotion,channel\na.wav,sad,{channel}\n"
    with pytest.raises(CorpusError, match=f"line 2, channel: expected .*, found '{channel}'"):
        corpora.load("manifest", write(sounds, text))


def test_files_from_spreadsheets_are_read(sounds: Path):
    text = 'path,emotion\r\n"calls/one, two.flac","sad"\r\n\r\na.wav, happy\r\n'

    corpus = corpora.load("manifest", write(sounds, text, encoding="utf-8-sig"))

    assert {u.path.name: u.emotion for u in corpus} == {"one, two.flac": "sad", "a.wav": "happy"}


def test_segments_of_one_file_are_in_order_of_time(sounds: Path):
    text = "path,emotion,start,end\na.wav,sad,10,12\na.wav,sad,2,10\na.wav,happy,0,2\n"

    corpus = corpora.load("manifest", write(sounds, text))

    assert [utterance.start for utterance in corpus] == [0.0, 2.0, 10.0]


def test_a_folder_and_absolute_paths_are_accepted(sounds: Path):
    write(sounds, f"path,emotion\n{sounds / 'a.wav'},sad\n")

    assert corpora.load("manifest", sounds)[0].path == sounds / "a.wav"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "path,emotion\na.wav,sad\nc.wav,sad\n",
            "line 3, path: expected a sound file, found none at .*c.wav",
        ),
        ("path,emotion\na.wav,\n", "line 2, emotion: expected text, found nothing"),
        ("path,emotion\n,sad\n", "line 2, path: expected text, found nothing"),
        ("path,emotion,split\na.wav,sad,dev\n", "line 2, split: expected train.*found 'dev'"),
        ("path,emotion,start\na.wav,sad,soon\n", "line 2, start: expected seconds.*'soon'"),
        ("path,emotion,start\na.wav,sad,-1\n", "line 2, start: expected seconds"),
        ("path,emotion,end\na.wav,sad,nan\n", "line 2, end: expected seconds"),
        ("path,emotion,start,end\na.wav,sad,2,2\n", "line 2, end: expected more than start"),
        (
            "path,emotion\na.wav,sad\n./a.wav,sad\n",
            "line 3, path: expected .* once, found ./a.wav in line 2",
        ),
        ("path,emotion\na,b.wav,sad\n", "line 2: expected 2 fields, found 3"),
        ("path;emotion\na.wav;sad\n", "line 1: expected a column 'path'; .*separated by commas"),
        ("file,emotion\na.wav,sad\n", "expected a column 'path'; .*found file,emotion"),
        ("path,emotion,path\na.wav,sad,a.wav\n", "expected one column 'path', found two"),
        ("path,emotion\n", "found only column names"),
        ("", "found an empty file"),
        ('path,emotion\n"a.wav,sad\n', "expected CSV in UTF-8"),
    ],
)
def test_errors_name_the_line_and_the_field(sounds: Path, text: str, message: str):
    with pytest.raises(CorpusError, match=message) as error:
        corpora.load("manifest", write(sounds, text))

    assert "manifest.csv" in str(error.value)


def test_another_encoding_is_refused(sounds: Path):
    file = write(sounds, "path,emotion\na.wav,fröhlich\n", encoding="latin-1")

    with pytest.raises(CorpusError, match="UTF-8"):
        corpora.load("manifest", file)


def test_a_missing_file_is_refused(tmp_path: Path):
    with pytest.raises(CorpusError, match=r"absent.csv: expected a CSV file"):
        corpora.load("manifest", tmp_path / "absent.csv")
