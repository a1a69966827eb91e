"""Many recordings at once: the same answers as one by one, in their order, whatever they hold."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import ConfigurationError
from ser_keras.model.vrnn import VRNN
from ser_keras.recognition import bulk, decoded
from ser_keras.recognition.recognizer import Recognizer
from ser_keras.sound.takes import Take
from tests.answers import assert_alike


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer(VRNN.from_preset("tiny"))


@pytest.fixture(scope="module")
def recordings(synthetic_corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Recordings of many lengths, rates and channels; silence, and two that cannot be used."""
    folder = tmp_path_factory.mktemp("recordings")
    draw = np.random.default_rng(0)
    paths = [str(utterance.path) for utterance in synthetic_corpus[:5]]
    for number, (seconds, rate, channels) in enumerate(
        [(0.1, 16000, 1), (5.3, 48000, 2), (1.0, 8000, 1), (33.0, 16000, 1), (2.2, 22050, 1)]
    ):
        time = np.arange(round(seconds * rate)) / rate
        tone = 0.2 * np.sin(2 * np.pi * (150 + 40 * number) * time) * (1 + np.sin(9 * time))
        noise = draw.normal(0.0, 0.02, (len(time), channels))
        path = folder / f"{number}.wav"
        soundfile.write(path, tone[:, np.newaxis] / 2 + noise, rate)
        paths.append(str(path))
    soundfile.write(folder / "silence.wav", np.zeros(32000), 16000)
    (folder / "text.wav").write_text("no sound")
    return [
        *paths[:7],
        str(folder / "silence.wav"),
        str(folder / "text.wav"),
        str(folder / "missing.wav"),
        *paths[7:],
    ]


@pytest.mark.parametrize("batch_size", [1, 4, 32])
def test_answers_are_those_of_one_at_a_time_in_the_same_order(
    batch_size: int, recognizer: Recognizer, recordings: list[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(bulk, "BATCHES_AHEAD", 2)
    expected = list(recognizer.recognize_files(recordings, attention=False))
    found = list(recognizer.recognize_files(recordings, batch_size=batch_size))
    assert [line["file"] for line in found] == recordings
    for one, other in zip(found, expected, strict=True):
        assert_alike(one, other)
    assert sum("error" in line for line in found) == 2
    assert [line["silent"] for line in found if "silence" in line["file"]] == [True]


def test_each_channel_has_an_answer_of_its_own(recognizer: Recognizer, recordings: list[str]):
    expected = list(recognizer.recognize_files(recordings[:8], attention=False, channel="each"))
    found = list(recognizer.recognize_files(recordings[:8], channel="each", batch_size=8))
    assert len(found) == len(expected) == 9  # one of the eight has two channels
    for one, other in zip(found, expected, strict=True):
        assert_alike(one, other)


def test_no_more_than_a_few_batches_are_decoded_ahead(
    recognizer: Recognizer, recordings: list[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(bulk, "BATCHES_AHEAD", 1)
    taken = itertools.count()
    endless = (recordings[next(taken) % 3] for _ in itertools.count())
    lines = recognizer.recognize_files(endless, batch_size=2)
    for _ in range(6):
        next(lines)
    assert isinstance(lines, Generator)
    lines.close()
    assert next(taken) <= 6 + 2 * 2
    assert threading.active_count() < 20


def test_a_batch_must_hold_a_recording(recognizer: Recognizer):
    with pytest.raises(ConfigurationError, match="batch_size: expected at least 1, found 0"):
        next(recognizer.recognize_files(["a.wav"], batch_size=0))


def test_a_long_recording_is_left_to_what_needs_no_memory_for_it(
    recognizer: Recognizer, recordings: list[str]
):
    spec = recognizer.model.features
    (long,) = [path for path in recordings if path.endswith("3.wav") and Path(path).exists()
               and soundfile.info(path).duration > decoded.LONGEST]  # fmt: skip
    assert decoded.decode(Take(long), spec) is None
    assert isinstance(decoded.decode(Take(recordings[0]), spec), decoded.Recording)
