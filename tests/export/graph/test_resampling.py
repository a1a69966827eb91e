"""Resampling from a rate known when the graph runs, held to the exact answer for tones."""

from __future__ import annotations

import numpy as np
import pytest
import soxr
import tensorflow as tf

from ser_keras.export.graph import resampling

TO = 22050


@tf.function(autograph=False)
def resample(sound: tf.Tensor, rate: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    resampler = resampling.design(rate, TO)
    missing = resampler.inputs(outputs) - resampler.before - tf.size(sound, tf.int64)
    padded = tf.pad(sound, [[resampler.before, tf.maximum(missing, 0)]])
    return resampler.resample(padded, outputs)


def resampled(sound: np.ndarray, rate: int) -> np.ndarray:
    outputs = len(sound) * TO // rate
    return resample(
        tf.constant(sound, tf.float32), tf.constant(rate, tf.int64), tf.constant(outputs, tf.int64)
    ).numpy()


COMMON = [8000, 11025, 12000, 16000, 24000, 32000, 44100, 48000, 88200, 96000, 176400, 192000]
EXTREME = [1000, 768000]
ODD = [8813, 11024, 22033, 37001, 44099, 191999]
FREQUENCY = 350.0
INSIDE = slice(TO // 4, -TO // 4)


def tone(rate: int) -> np.ndarray:
    return np.sin(2 * np.pi * FREQUENCY * np.arange(2 * rate) / rate)


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
def test_what_the_lower_rate_cannot_hold_is_gone(rate: int):
    high = np.sin(2 * np.pi * 11500 * np.arange(rate) / rate)
    assert np.abs(resampled(high, rate)[INSIDE]).max() < 1e-4


def test_agrees_with_soxr():
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
