"""Sound chunk by chunk, held to the model's own scan of the whole on librosa's features."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ser_keras.errors import AudioError, ConfigurationError
from ser_keras.features import reference
from ser_keras.features.spec import FeatureSpec
from ser_keras.model import files as model_files
from ser_keras.model.vrnn import VRNN
from ser_keras.recognition.chunks import Windows
from ser_keras.recognition.streaming import StreamingRecognizer
from ser_keras.sound import decoding


@pytest.fixture(scope="module")
def model(trained_run: Path) -> VRNN:
    return model_files.load(trained_run)


def noise(seconds: float, rate: int = 8000, seed: int = 0) -> np.ndarray:
    """Noise whose level moves, so that windows differ."""
    count = round(seconds * rate)
    wave = 0.2 + 0.15 * np.sin(2 * np.pi * 0.3 * np.arange(count) / rate)
    return (np.random.default_rng(seed).normal(size=count) * wave).astype(np.float32)


def chunks(samples: np.ndarray, size: int) -> Iterator[np.ndarray]:
    return (samples[start : start + size] for start in range(0, len(samples), size))


def answers(
    recognizer: StreamingRecognizer, samples: np.ndarray, size: int, rate: int | None = None
) -> list[dict[str, Any]]:
    instants = [i for chunk in chunks(samples, size) for i in recognizer.push(chunk, rate)]
    return instants + recognizer.finish()


def whole(model: VRNN, samples: np.ndarray) -> dict[str, np.ndarray]:
    """The model's outputs for samples at its rate, all instants in one call, [T, ...] each."""
    missing = model.features.window_length - model.features.trailing_length - len(samples)
    observations = reference.extract(np.pad(samples, (0, max(0, missing))), model.features)
    outputs = model.predict(observations[np.newaxis], verbose=0)
    return {name: outputs[name][0] for name in ("timeline", "attention", "saliency")}


def assert_same(found: list[dict[str, Any]], expected: dict[str, np.ndarray]) -> None:
    timeline = np.array([list(instant["probabilities"].values()) for instant in found])
    np.testing.assert_allclose(timeline, expected["timeline"], atol=1e-5)
    for instant, probabilities in zip(found, expected["timeline"], strict=True):
        assert instant["emotion"] == list(instant["probabilities"])[probabilities.argmax()]
    attention = [instant["attention"] for instant in found]
    np.testing.assert_array_equal(attention, expected["attention"])
    saliency = [instant["saliency"] for instant in found]
    np.testing.assert_allclose(saliency, expected["saliency"], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("size", [1, 777, 8000, 100_000])
def test_chunks_of_any_size_give_what_the_whole_gives(model: VRNN, size: int):
    samples = noise(5.3)
    expected = whole(model, samples)
    assert_same(answers(StreamingRecognizer(model), samples, size), expected)


def test_ten_minutes_in_one_chunk_give_what_the_whole_gives(model: VRNN):
    """With windows so far apart that it is soon done."""
    model = VRNN.from_preset(model.preset, model.classes, seed=0, hop=5.0)
    samples = noise(600.0)
    expected = whole(model, samples)
    found = answers(StreamingRecognizer(model), samples, len(samples))
    assert [instant["time"] for instant in found] == [0.5 + 5 * number for number in range(120)]
    assert_same(found, expected)


@pytest.mark.parametrize("seconds", [5.3, 0.4, 0.1])
def test_silence_is_appended_to_a_recording(model: VRNN, seconds: float):
    silence = 0.7 * model.features.window
    model = VRNN.from_preset(model.preset, model.classes, seed=0, trailing_silence=silence)
    samples = noise(seconds)
    expected = whole(model, samples)
    assert_same(answers(StreamingRecognizer(model), samples, 777), expected)
    assert StreamingRecognizer(model).finish() == []


@pytest.mark.parametrize("rate", [7350, 11_025, 48_000])
def test_resampled_chunks_give_what_the_whole_file_gives(model: VRNN, tmp_path: Path, rate: int):
    path = tmp_path / "sound.wav"
    soundfile.write(path, noise(4.2, rate), rate, subtype="FLOAT")
    expected = whole(model, decoding.load(path, 8000))
    samples, _ = soundfile.read(path, dtype="float32")
    for size in (333, len(samples)):
        assert_same(answers(StreamingRecognizer(model), samples, size, rate), expected)


def test_channels_are_mixed_and_integers_scaled(model: VRNN):
    samples = (noise(3.0) * 20_000).astype(np.int16)
    stereo = np.stack([samples, samples], axis=1)
    expected = whole(model, samples / np.float32(32768))
    assert_same(answers(StreamingRecognizer(model), stereo, 500), expected)


def test_a_recording_shorter_than_a_window_is_padded(model: VRNN):
    samples = noise(0.4 * model.features.window)
    recognizer = StreamingRecognizer(model)
    assert recognizer.push(samples) == []
    expected = whole(model, samples)
    assert_same(recognizer.finish(), expected)
    assert StreamingRecognizer(model).finish() == []


def test_reset_begins_another_recording(model: VRNN):
    recognizer = StreamingRecognizer(model, smoothing=0.5)
    first = answers(recognizer, noise(3.3, 16_000), 1000, 16_000)
    recognizer.reset()
    answers(recognizer, noise(2.1, seed=1), 1000)
    recognizer.reset()
    assert answers(recognizer, noise(3.3, 16_000), 1000, 16_000) == first


@pytest.mark.parametrize(
    ("bad", "rate", "message"),
    [
        (np.array([0.0, np.nan], np.float32), 8000, "expected finite samples"),
        (np.array([np.inf], np.float32), 8000, "expected finite samples"),
        (np.array([0.0, -1e20], np.float32), 8000, "1e\\+20 times full scale"),
        (np.zeros(5, np.float32), 16_000, "expected 8000 Hz as before .*, found 16000 Hz"),
        (np.zeros((2, 2, 2), np.float32), 8000, r"found \(2, 2, 2\)"),
        (np.zeros(5, np.int64), 8000, "expected floats or int16, found int64"),
    ],
)
def test_a_bad_chunk_is_refused_and_changes_nothing(
    model: VRNN, bad: np.ndarray, rate: int, message: str
):
    samples = noise(4.0)
    recognizer = StreamingRecognizer(model)
    instants = recognizer.push(samples[:10_000], 8000)
    with pytest.raises(AudioError, match=message):
        recognizer.push(bad, rate)
    instants += recognizer.push(samples[10_000:]) + recognizer.finish()
    assert_same(instants, whole(model, samples))


def test_a_rate_beyond_the_limits_is_refused(model: VRNN):
    with pytest.raises(AudioError, match="expected 1000 to 768000 Hz, found 100 Hz"):
        StreamingRecognizer(model).push(np.zeros(5, np.float32), 100)


def test_silence_and_clipping_are_answered(model: VRNN):
    for samples in (np.zeros(40_000, np.float32), np.sign(noise(5.0)).astype(np.float32)):
        for instant in answers(StreamingRecognizer(model), samples, 4000):
            assert sum(instant["probabilities"].values()) == pytest.approx(1.0, abs=1e-5)


def test_the_gate_keeps_silence_from_the_model(model: VRNN):
    spec = model.features
    # Windows of this model lie side by side: each is either speech or silence.
    assert spec.hop_length == spec.window_length
    speech, silence = noise(4 * spec.window), np.zeros(2 * spec.window_length, np.float32)
    recognizer = StreamingRecognizer(model, gate=-50.0)
    before = recognizer.push(silence)
    begun = recognizer.push(speech)
    pause = recognizer.push(silence)
    went_on = recognizer.push(speech)
    for instant in before:
        assert instant.keys() == {"time", "heard", "silent", "emotion", "probabilities"}
        assert (instant["heard"], instant["emotion"]) == (False, None)
    for instant in pause:
        assert not instant["heard"]
        assert instant["probabilities"] == begun[-1]["probabilities"]
    # The model goes on as if there had been no silence; only the clock has.
    ungated = StreamingRecognizer(model).push(np.concatenate([speech, speech]))
    for found, expected in zip(begun + went_on, ungated, strict=True):
        assert found["heard"]
        assert found["attention"] == expected["attention"]
        assert found["probabilities"] == pytest.approx(expected["probabilities"], abs=1e-6)
    times = [instant["time"] for instant in before + begun + pause + went_on]
    assert times == pytest.approx([spec.window * (1 + number) for number in range(12)])


def test_smoothing_is_an_exponential_average(model: VRNN):
    samples = noise(5.0)
    plain = answers(StreamingRecognizer(model), samples, 8000)
    smooth = answers(StreamingRecognizer(model, smoothing=0.8), samples, 8000)
    average = np.array(list(plain[0]["probabilities"].values()))
    for one, other in zip(plain, smooth, strict=True):
        average = 0.8 * average + 0.2 * np.array(list(one["probabilities"].values()))
        np.testing.assert_allclose(list(other["probabilities"].values()), average, atol=1e-6)


def test_options_out_of_range_are_errors(model: VRNN):
    with pytest.raises(ConfigurationError, match=r"smoothing: expected .*, found 1"):
        StreamingRecognizer(model, smoothing=1.0)
    with pytest.raises(ConfigurationError, match=r"gate: expected .*, found 3"):
        StreamingRecognizer(model, gate=3.0)


@pytest.mark.parametrize("hop", [0.25, 1.0, 2.5])
@pytest.mark.parametrize("size", [1, 64, 5000])
def test_windows_are_slices_of_the_whole(hop: float, size: int):
    spec = FeatureSpec(
        sample_rate=1000, window=1.0, hop=hop, fft_size=256, mel_bands=20, coefficients=13
    )
    samples = np.arange(6001, dtype=np.float32)
    windows = Windows(spec)
    found = [w.copy() for chunk in chunks(samples, size) for w in windows.push(chunk)]
    starts = range(0, 5002, spec.hop_length)
    np.testing.assert_array_equal(found, [samples[s : s + 1000] for s in starts])
    assert len(found) == spec.instants(len(samples))


def test_the_gate_compares_root_mean_squares(model: VRNN):
    """That of a sine is 3.01 decibels below its peak."""
    sine = np.sin(2 * np.pi * np.arange(model.features.window_length) / 10).astype(np.float32)
    level = -10 * math.log10(2)
    for gate, heard in ((level - 1e-3, True), (level + 1e-3, False)):
        (instant,) = StreamingRecognizer(model, gate=gate).push(sine)
        assert instant["heard"] is heard


def test_blocks_end_with_an_error_where_the_file_is_no_sound_or_cut(tmp_path: Path):
    empty, whole, cut = (tmp_path / name for name in ("empty.wav", "whole.mp3", "cut.mp3"))
    soundfile.write(empty, np.zeros(0), 8000)
    soundfile.write(whole, noise(4.0), 8000)
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(AudioError, match="expected sound, found no samples"):
        list(decoding.blocks(empty))
    assert sum(len(piece) for piece, _ in decoding.blocks(whole)) >= 4 * 8000
    with pytest.raises(AudioError, match="truncated: expected"):
        list(decoding.blocks(cut))


def test_blocks_of_a_file_are_the_file(tmp_path: Path):
    path = tmp_path / "sound.flac"
    soundfile.write(path, np.stack([noise(1.0), noise(1.0, seed=1)], axis=1), 8000)
    pieces = list(decoding.blocks(path, frames=999))
    assert {rate for _, rate in pieces} == {8000}
    whole, _ = soundfile.read(path, dtype="float32")
    np.testing.assert_array_equal(np.concatenate([piece for piece, _ in pieces]), whole)
