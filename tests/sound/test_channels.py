"""Channels, levels, and what their mean hides."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
import soundfile

from ser_keras.errors import AudioError, AudioWarning
from ser_keras.sound import decoding, level, memory

RATE = 8000
RANDOM = np.random.default_rng(0)
LEFT, RIGHT = RANDOM.normal(0, 0.1, (2, 2 * RATE))


def wav(*channels: np.ndarray) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.stack(channels, 1), RATE, format="WAV", subtype="FLOAT")
    return file.getvalue()


def test_one_channel_can_be_taken():
    content = wav(LEFT, RIGHT)
    np.testing.assert_allclose(decoding.load(content, RATE, channel=0), LEFT, atol=1e-7)
    np.testing.assert_allclose(
        decoding.load(content, RATE, 0.5, 1.0, channel=1), RIGHT[4000:8000], atol=1e-7
    )


@pytest.mark.parametrize(("channels", "channel"), [(1, 1), (2, 2), (2, -1)])
def test_a_channel_that_is_not_there_is_refused(channels: int, channel: int):
    with pytest.raises(AudioError, match=f"channel: expected 0.*, found {channel}"):
        decoding.load(wav(*[LEFT] * channels), RATE, channel=channel)


@pytest.mark.parametrize(
    "channels",
    [
        (LEFT, RIGHT),
        (LEFT, RIGHT + 0.3),  # a constant is no likeness
        (LEFT, LEFT, RIGHT),
        (np.r_[LEFT[:RATE], np.zeros(RATE)], np.r_[np.zeros(RATE), LEFT[:RATE]]),  # in turns
    ],
)
def test_channels_that_differ_are_mentioned(channels: tuple[np.ndarray, ...]):
    with pytest.warns(AudioWarning, match=r"the channels differ .*--channel each"):
        mixed = decoding.load(wav(*channels), RATE)
    np.testing.assert_allclose(mixed, np.mean(channels, axis=0), atol=1e-6)


@pytest.mark.parametrize("gain", [-1.0, -0.95])
def test_channels_that_cancel_are_mentioned(gain: float):
    with pytest.warns(AudioWarning, match=r"cancel in their mean .*--channel 0"):
        decoding.load(wav(LEFT, gain * LEFT), RATE)


@pytest.mark.parametrize(
    "channels",
    [
        (LEFT,),
        (LEFT, LEFT),
        (LEFT, 0.2 * LEFT),
        (LEFT, LEFT + 0.5 * RIGHT),  # a room
        (LEFT, np.zeros_like(LEFT)),  # a microphone on one side
        (LEFT, 1e-5 * RIGHT),
        (1e-5 * LEFT, -1e-5 * LEFT),
        (np.zeros(RATE), np.zeros(RATE)),
    ],
)
def test_usual_channels_are_mixed_without_a_word(channels: tuple[np.ndarray, ...]):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decoding.load(wav(*channels), RATE)


@pytest.mark.parametrize("shape", [(2, 4000), (1, 4000), (2, 3), (6, 100)])
def test_channels_first_are_refused(shape: tuple[int, int]):
    with pytest.raises(AudioError, match=r"expected samples \[N, channels\].*samples\.T"):
        memory.mono("call", np.zeros(shape))


@pytest.mark.parametrize("shape", [(0, 2), (1, 2), (1, 8), (5, 6), (4000, 2), (2, 2)])
def test_a_chunk_may_have_fewer_samples_than_channels(shape: tuple[int, int]):
    assert len(memory.mono("chunk", np.zeros(shape), is_chunk=True)) == shape[0]


@pytest.mark.parametrize("shape", [(2, 160), (1, 9), (2, 4000)])
def test_a_chunk_of_channels_first_is_refused(shape: tuple[int, int]):
    with pytest.raises(AudioError, match=r"looks like \[channels, N\]"):
        memory.mono("chunk", np.zeros(shape), is_chunk=True)


@pytest.mark.parametrize(
    ("decibels", "silent"), [(-20, False), (-62, False), (-69, False), (-71, True), (-80, True)]
)
def test_silence_is_below_one_level(decibels: float, silent: bool):
    noise = RANDOM.normal(0, 10 ** (decibels / 20), 50_000)
    assert level.level(noise) == pytest.approx(decibels, abs=0.1)
    assert level.is_silent(noise) is silent
    # What a cheap converter adds to all samples is no sound.
    assert level.is_silent(noise + 0.2) is silent


def test_digital_silence_is_silent():
    assert level.level(np.zeros(100)) == -np.inf
    assert level.is_silent(np.zeros(0))
