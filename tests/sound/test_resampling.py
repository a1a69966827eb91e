"""Resampling in a graph, held to soxr and to the exact answer for tones."""

from __future__ import annotations

import numpy as np
import pytest
import soxr
import tensorflow as tf

from ser_keras.sound import resampling

pytestmark = pytest.mark.io_stack

TO = 22050
COMMON = [8000, 11025, 12000, 16000, 24000, 32000, 44100, 48000, 88200, 96000, 176400, 192000]
EXTREME = [1000, 768000]
ODD = [8813, 11024, 22033, 37001, 44099, 191999]
FREQUENCY = 350.0
INSIDE = slice(TO // 4, -TO // 4)


@tf.function(autograph=False)
def resample(sound: tf.Tensor, rate: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    """Resample by a graph that learns the rate only when it runs."""
    resampler = resampling.design(rate, TO)
    missing = resampler.inputs(outputs) - resampler.before - tf.size(sound, tf.int64)
    padded = tf.pad(sound, [[resampler.before, tf.maximum(missing, 0)]])
    return resampler.resample(padded, outputs)


def resampled(sound: np.ndarray, rate: int) -> np.ndarray:
    outputs = len(sound) * TO // rate
    return resample(
        tf.constant(sound, tf.float32), tf.constant(rate, tf.int64), tf.constant(outputs, tf.int64)
    ).numpy()


def tone(rate: int) -> np.ndarray:
    return np.sin(2 * np.pi * FREQUENCY * np.arange(2 * rate) / rate)


def chirp(rate: int, highest: float, seconds: float = 1.0) -> np.ndarray:
    """A tone that rises to so many hertz, fading in and out, float32 [N]."""
    time = np.arange(round(rate * seconds)) / rate
    sound = np.sin(np.pi * highest / seconds * time**2) * np.sin(np.pi * time / seconds) ** 2
    return sound.astype(np.float32)


@pytest.mark.parametrize("rate", COMMON + EXTREME)
def test_a_tone_stays_what_it_was(rate: int):
    np.testing.assert_allclose(resampled(tone(rate), rate)[INSIDE], tone(TO)[INSIDE], atol=1e-4)


@pytest.mark.parametrize("rate", ODD)
def test_from_an_odd_rate_the_pitch_is_nearly_what_it_was(rate: int):
    inside = resampled(tone(rate), rate)[INSIDE]
    assert np.sqrt(2 * np.mean(np.square(inside))) == pytest.approx(1.0, abs=1e-3)
    rises = np.flatnonzero((inside[:-1] < 0) & (inside[1:] >= 0))
    crossings = rises - inside[rises] / (inside[rises + 1] - inside[rises])
    assert TO / np.diff(crossings).mean() == pytest.approx(FREQUENCY, rel=1e-3)


@pytest.mark.parametrize("rate", [24000, 48000, 96000])
def test_frequencies_that_the_lower_rate_cannot_hold_are_removed(rate: int):
    high = np.sin(2 * np.pi * 11500 * np.arange(rate) / rate)
    assert np.abs(resampled(high, rate)[INSIDE]).max() < 1e-4


def test_noise_agrees_with_soxr():
    noise = np.random.default_rng(0).normal(0, 0.1, 48000).astype(np.float32)
    reference = soxr.resample(noise, 48000, TO, quality="HQ")
    inside = slice(2000, -2000)
    error = resampled(noise, 48000)[inside] - reference[inside]
    ratio = np.square(reference[inside]).sum() / np.square(error).sum()
    # Noise is the hardest: all of the difference lies between 91 and 100 % of Nyquist's frequency.
    assert 10 * np.log10(ratio) > 35


def test_the_same_rate_changes_nothing():
    noise = np.random.default_rng(0).normal(size=5000).astype(np.float32)
    np.testing.assert_array_equal(resampled(noise, TO), noise)
    np.testing.assert_array_equal(resampling.resample(noise, TO, TO), noise)


@pytest.mark.parametrize(
    ("from_rate", "to_rate"),
    [(48000, TO), (44100, TO), (8000, TO), (16000, TO), (192000, TO), (48000, 16000)],
)
def test_a_whole_recording_is_within_60_db_of_soxr(from_rate: int, to_rate: int):
    assert resampling.is_exact(from_rate, to_rate)
    sound = chirp(from_rate, highest=0.4 * min(from_rate, to_rate))
    expected = soxr.resample(sound, from_rate, to_rate, quality="VHQ")
    whole = resampling.resample(sound, from_rate, to_rate).numpy()
    assert len(whole) == -(-len(sound) * to_rate // from_rate)
    length = min(len(whole), len(expected))
    error = whole[:length] - expected[:length]
    assert np.sum(error**2) < 1e-6 * np.sum(expected**2)


def test_a_whole_recording_loses_what_the_lower_rate_cannot_hold():
    time = np.arange(48000) / 48000
    too_high = np.sin(2 * np.pi * 0.52 * TO * time).astype(np.float32)
    middle = resampling.resample(too_high, 48000, TO).numpy()[1000:-1000]
    assert np.abs(middle).max() < 1e-4


@pytest.mark.parametrize("rate", ODD)
def test_odd_rates_are_told_from_exact_ones(rate: int):
    assert not resampling.is_exact(rate, TO)


@pytest.mark.parametrize("samples", [1, 2, 146, 319, 320, 321])
def test_a_few_samples_are_enough(samples: int):
    whole = resampling.resample(np.ones(samples, np.float32), 48000, TO)
    assert len(whole) == -(-samples * 147 // 320)
    assert np.isfinite(whole).all()


def test_twenty_minutes_exceed_no_integer():
    # 57,600,000 samples times 147 are more than 32 bits; one channel of silence is quick.
    graph = tf.function(lambda count: tf.size(resampling.resample(tf.zeros([count]), 48000, TO)))
    assert int(graph(tf.constant(48000 * 1200))) == TO * 1200
