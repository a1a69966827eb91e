"""Varied copies: what changes of a sound, and what must not depend on anything but it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser_keras.corpora.utterance import Corpus, Utterance
from ser_keras.errors import ConfigurationError
from ser_keras.features.augmentation import Augmentation, vary
from ser_keras.features.extraction import extract_corpus
from ser_keras.features.spec import FeatureSpec

RATE = 16000
STILL = Augmentation(copies=1, speed=0.0, shift=0.0, gain=(0.0, 0.0), noise=(-200.0, -200.0))
TONE = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE).astype(np.float32) / 4


def loudest_frequency(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 1 << 17))
    return float(spectrum.argmax() * RATE / (1 << 17))


def test_copy_0_is_the_recording():
    assert vary(TONE, RATE, Augmentation(copies=3), 0) is TONE


def test_ranges_of_nothing_change_nothing():
    np.testing.assert_allclose(vary(TONE, RATE, STILL, 1), TONE, atol=1e-5)


def test_speed_moves_pitch_as_it_shortens():
    augmentation = dataclasses.replace(STILL, speed=0.3)
    for copy in range(1, 6):
        varied = vary(TONE, RATE, augmentation, copy)
        speed = len(TONE) / len(varied)
        assert np.exp(-0.3) <= speed <= np.exp(0.3)
        assert loudest_frequency(varied) == pytest.approx(440 * speed, rel=2e-3)


def test_gain_and_noise_are_in_decibels():
    louder = vary(TONE, RATE, dataclasses.replace(STILL, gain=(6.0, 6.0)), 1)
    assert np.std(louder) / np.std(TONE) == pytest.approx(10**0.3, rel=1e-3)
    noise = vary(TONE, RATE, dataclasses.replace(STILL, noise=(-40.0, -40.0)), 1) - TONE
    assert 20 * np.log10(np.std(noise)) == pytest.approx(-40, abs=0.2)


def test_a_copy_begins_earlier_or_later():
    lengths = {
        len(vary(TONE, RATE, dataclasses.replace(STILL, shift=0.2), copy)) for copy in range(1, 9)
    }
    assert min(lengths) < len(TONE) < max(lengths)
    assert all(abs(length - len(TONE)) <= 0.2 * RATE for length in lengths)


def test_half_of_the_ends_get_silence():
    augmentation = dataclasses.replace(STILL, silence=0.5)
    added = []
    for copy in range(1, 61):
        varied = vary(TONE, RATE, augmentation, copy)
        loud = np.flatnonzero(np.abs(varied) > 0.2)
        before, behind = loud[0], len(varied) - 1 - loud[-1]
        assert len(varied) == pytest.approx(before + len(TONE) + behind, abs=50)
        added += [before / RATE, behind / RATE]
    assert max(added) == pytest.approx(0.5, abs=0.1)
    assert np.mean(np.array(added) > 0.002) == pytest.approx(0.5, abs=0.12)


def test_trimming_takes_silence_at_either_end_alone():
    silence = np.full(RATE, 1e-4, np.float32)  # 65 dB below the tone
    recording = np.concatenate([silence, TONE, silence])
    copies = [
        vary(recording, RATE, dataclasses.replace(STILL, trim=40.0), copy) for copy in range(1, 9)
    ]
    frame = 2048  # librosa tells silence by frames of so many samples
    loud = [np.flatnonzero(np.abs(copy) > 1e-3) for copy in copies]
    before = [places[0] for places in loud]
    after = [len(copy) - 1 - places[-1] for copy, places in zip(copies, loud, strict=True)]
    for places in loud:
        assert places[-1] - places[0] == pytest.approx(len(TONE), abs=4)
    for left in (before, after):
        assert min(left) < RATE / 2 < max(left) <= RATE + frame


def test_copies_follow_from_the_sound_alone():
    augmentation = Augmentation(copies=2)
    once, again = (vary(TONE, RATE, augmentation, 1) for _ in range(2))
    np.testing.assert_array_equal(once, again)
    assert not np.array_equal(once[:100], vary(TONE, RATE, augmentation, 2)[:100])


def test_a_corpus_is_followed_by_its_copies(tmp_path: Path):
    for number in range(3):
        soundfile.write(tmp_path / f"{number}.wav", TONE * (number + 1) / 4, RATE)
    corpus = Corpus(
        "own",
        tuple(Utterance(tmp_path / f"{n}.wav", "ab"[n % 2], "") for n in range(3)),
        ("a", "b"),
    )
    spec = FeatureSpec(sample_rate=RATE, window=0.5, hop=0.25)
    plain = extract_corpus(corpus, spec, False, progress=False)
    augmented = extract_corpus(
        corpus, spec, tmp_path / "cache", progress=False, augmentation=Augmentation(copies=2)
    )
    cached = extract_corpus(
        corpus, spec, tmp_path / "cache", progress=False, augmentation=Augmentation(copies=2)
    )
    assert augmented.corpus.labels().tolist() == plain.corpus.labels().tolist() * 3
    for index in range(3):
        np.testing.assert_array_equal(augmented.observations[index], plain.observations[index])
        assert not np.array_equal(
            augmented.observations[index + 3][0], plain.observations[index][0]
        )
    for one, other in zip(augmented.observations, cached.observations, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"copies": -1}, "copies: expected .*, found -1"),
        ({"trim": 0.0}, "trim: expected .*, found 0.0"),
        ({"gain": (1.0,)}, "gain: expected .*, found"),
        ({"noise": (-10.0, -20.0)}, "noise: expected .*, found"),
    ],
)
def test_an_impossible_range_is_named(options: dict, message: str):
    with pytest.raises(ConfigurationError, match=message):
        Augmentation(**options)


def test_options_that_came_later_leave_the_other_draws_as_they_were():
    plain = vary(TONE, RATE, Augmentation(copies=1), 1)
    rooms = vary(TONE, RATE, Augmentation(copies=1, rooms=1.0), 1)
    assert len(plain) == len(rooms)
    assert loudest_frequency(plain) == pytest.approx(loudest_frequency(rooms), rel=1e-3)
    assert np.std(plain) == pytest.approx(np.std(rooms), rel=0.01)
    assert not np.allclose(plain, rooms, atol=0.01)


def test_noise_falls_by_its_slope():
    augmentation = dataclasses.replace(STILL, noise=(-40.0, -40.0), noise_slope=12.0)
    slopes = []
    for copy in range(1, 9):
        noise = vary(TONE, RATE, augmentation, copy) - TONE
        assert 20 * np.log10(np.std(noise)) == pytest.approx(-40, abs=0.5)
        power = 20 * np.log10(np.abs(np.fft.rfft(noise)))
        octave_up = np.mean(power[2000:3000]) - np.mean(power[1000:1500])
        slopes.append(-octave_up)
    assert -1.0 < min(slopes) < 4.0
    assert 6.0 < max(slopes) < 13.0


def test_shares_of_copies_in_rooms_and_through_codecs():
    noise = np.random.default_rng(0).normal(0.0, 0.1, RATE).astype(np.float32)
    for some in (dataclasses.replace(STILL, rooms=0.5), dataclasses.replace(STILL, codecs=0.5)):
        changed = [
            not np.allclose(vary(noise, RATE, some, copy), noise, atol=1e-4)
            for copy in range(1, 41)
        ]
        assert 10 < sum(changed) < 30


def test_shares_are_from_0_to_1():
    with pytest.raises(ConfigurationError, match=r"rooms: expected from 0 to 1, found 1\.5"):
        Augmentation(rooms=1.5)
    with pytest.raises(ConfigurationError, match=r"codecs: expected from 0 to 1, found -0\.5"):
        Augmentation(codecs=-0.5)
