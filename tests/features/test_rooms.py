"""Rooms that are made up: how fast they decay, and how strong their echo is."""

from __future__ import annotations

import numpy as np
import pytest

from ser_keras.features import rooms

RATE = 16000


def test_energy_decays_by_60_db_in_the_reverberation_time(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rooms, "REVERBERATION_TIME", (0.5, 0.5))
    echo = rooms.impulse_response(RATE, np.random.default_rng(3))[1:]
    # Schroeder 1965: the energy that is still to come falls in a straight line, in decibels.
    left = 10 * np.log10(np.cumsum(echo[::-1] ** 2)[::-1])
    tenth, third = round(0.1 * RATE), round(0.3 * RATE)
    slope = (left[third] - left[tenth]) / 0.2
    assert slope == pytest.approx(-60 / 0.5, rel=0.1)


def test_direct_to_reverberant_ratio(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rooms, "DIRECT_TO_REVERBERANT", (9.0, 9.0))
    response = rooms.impulse_response(RATE, np.random.default_rng(0))
    assert 10 * np.log10(1.0 / np.sum(response[1:] ** 2)) == pytest.approx(9.0)


def test_nothing_comes_between_the_direct_sound_and_the_first_echo():
    response = rooms.impulse_response(RATE, np.random.default_rng(0))
    first = 1 + np.flatnonzero(response[1:])[0]
    assert 0.002 <= first / RATE <= 0.021


def test_length_and_power_stay():
    speech = np.random.default_rng(1).normal(0.0, 0.1, 2 * RATE)
    echoing = rooms.reverberate(speech, RATE, np.random.default_rng(2))
    assert len(echoing) == len(speech)
    assert np.mean(echoing**2) == pytest.approx(np.mean(speech**2))
    assert not np.allclose(echoing, speech, atol=0.01)


def test_silence_stays_silence():
    silence = np.zeros(RATE, np.float32)
    assert not np.any(rooms.reverberate(silence, RATE, np.random.default_rng(0)))
