"""Sound made of mel spectra, held to librosa's way forwards."""

from __future__ import annotations

from typing import Any

import librosa
import numpy as np
import pytest

from ser_keras.errors import ConfigurationError
from ser_keras.features import reference
from ser_keras.features.spec import FeatureSpec
from ser_keras.model.presets import TINY
from ser_keras.recognition import inversion

SPEC = TINY.features


def voice(seconds: float = 1.0, rate: int = 16000) -> np.ndarray:
    """A harmonic sound whose pitch and level move."""
    time = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * np.cumsum(150 + 40 * np.sin(5 * time)) / rate
    harmonics = sum(np.sin(k * phase) / k for k in range(1, 20))
    return (0.1 * (1.2 + np.sin(8 * time)) * harmonics).astype(np.float32)


def mel(samples: np.ndarray) -> np.ndarray:
    return librosa.feature.melspectrogram(
        y=samples, sr=16000, n_fft=SPEC.fft_size, hop_length=SPEC.frame_hop, n_mels=SPEC.mel_bands
    ).T


def distance(one: np.ndarray, other: np.ndarray) -> float:
    decibels = [librosa.power_to_db(power, ref=one.max(), top_db=None) for power in (one, other)]
    first, second = (np.maximum(each, -60) for each in decibels)
    return float(np.abs(first - second).mean())


def test_a_spectrum_comes_back():
    samples = voice()
    made = inversion.sound(mel(samples), SPEC, phase_of=samples)
    assert len(made) == len(samples)
    assert distance(mel(samples), mel(made)) < 2.0
    # With its own phase it is the recording again, nearly; another one's is none of it.
    assert np.corrcoef(made, samples)[0, 1] > 0.9


def test_a_phase_is_found_where_there_is_none():
    samples = voice()
    made = inversion.sound(mel(samples), SPEC, seed=1)
    assert distance(mel(samples), mel(made)[: len(mel(samples))]) < 4.0
    np.testing.assert_array_equal(made, inversion.sound(mel(samples), SPEC, seed=1))


def test_silence_stays_silent():
    power = mel(voice())
    power[20:40] = 0
    made = inversion.sound(power, SPEC, phase_of=voice())
    inner = slice(23 * SPEC.frame_hop, 37 * SPEC.frame_hop)
    assert np.abs(made[inner]).max() < 1e-6


@pytest.mark.parametrize("statistics", [(), ("std", "mean")])
def test_power_of_log_mel_and_of_mfccs_is_librosas(statistics: tuple[str, ...]):
    settings: dict[str, Any] = {"sample_rate": 16000, "window": 1.0, "hop": 0.5, "mel_bands": 40}
    settings |= {"fft_size": 512, "frame_hop": 256, "statistics": statistics, "top_db": None}
    log_mel = FeatureSpec(kind="log-mel", **settings)
    mfcc = FeatureSpec(kind="mfcc", coefficients=40, **settings)
    window = voice()
    rows = [reference.extract_window(window, spec) for spec in (log_mel, mfcc)]
    power, from_mfccs = (
        inversion.mel_power(row.reshape(-1, row.shape[-1]), spec)
        for row, spec in zip(rows, (log_mel, mfcc), strict=True)
    )
    # 40 coefficients of 40 bands lose nothing.
    np.testing.assert_allclose(10 * np.log10(from_mfccs), 10 * np.log10(power), atol=1e-2)
    if not statistics:
        np.testing.assert_allclose(power, np.maximum(mel(window), 1e-10), rtol=1e-2, atol=1e-9)


def test_without_means_there_is_no_sound():
    spec = FeatureSpec(statistics=("std",))
    with pytest.raises(ConfigurationError, match="statistics: expected the mean"):
        inversion.mel_power(np.zeros((1, 40)), spec)
