"""Codecs in memory: what each leaves of a sweep, and at which time."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal

from ser_keras.features import codecs

RATE = 16000
TIME = np.arange(2 * RATE) / RATE
SWEEP = (0.25 * scipy.signal.chirp(TIME, 100, 2.0, 3000)).astype(np.float32)


def power_above(samples: np.ndarray, frequency: float) -> float:
    """Return the share of the power above a frequency, in decibels."""
    frequencies, power = scipy.signal.welch(samples, RATE, nperseg=1024)
    return 10 * np.log10(power[frequencies > frequency].sum() / power.sum() + 1e-12)


@pytest.mark.parametrize("name", codecs.CODECS)
def test_a_codec_leaves_the_sound_where_it_was(name: str):
    decoded = codecs.encode_and_decode(SWEEP, RATE, name, compression=0.3)
    assert decoded.shape == SWEEP.shape
    middle = slice(RATE // 4, -RATE // 4)
    products = scipy.signal.correlate(decoded[middle], SWEEP[middle], "same")
    delay = np.argmax(np.abs(products)) - len(products) // 2
    assert abs(delay) <= 2
    correlation = np.corrcoef(decoded[middle], SWEEP[middle])[0, 1]
    assert correlation > 0.85
    assert not np.allclose(decoded, SWEEP, atol=1e-4)


@pytest.mark.parametrize("name", ["gsm", "µ-law"])
def test_a_telephone_leaves_nothing_above_4_khz(name: str):
    noise = np.random.default_rng(0).normal(0.0, 0.1, RATE).astype(np.float32)
    assert power_above(noise, 4300) > -4
    assert power_above(codecs.encode_and_decode(noise, RATE, name), 4300) < -40


def test_fewer_bits_leave_less():
    noise = np.random.default_rng(0).normal(0.0, 0.1, RATE).astype(np.float32)
    errors = [
        np.std(codecs.encode_and_decode(noise, RATE, "mp3", compression) - noise)
        for compression in (0.0, codecs.MOST_COMPRESSION)
    ]
    assert errors[0] < errors[1]


def test_everything_that_can_be_drawn_has_the_length_of_the_recording():
    for seed in range(30):
        sent = codecs.transmit(SWEEP[:12345], RATE, np.random.default_rng(seed))
        assert sent.shape == (12345,)
        assert np.all(np.isfinite(sent))
        assert sent.dtype == np.float32


def test_without_a_codec_the_band_becomes_narrower(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("soundfile.check_format", lambda *_: False)
    noise = np.random.default_rng(0).normal(0.0, 0.1, RATE).astype(np.float32)
    sent = codecs.transmit(noise, RATE, np.random.default_rng(0))
    assert power_above(sent, 7500) < power_above(noise, 7500)
