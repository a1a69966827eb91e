"""Levels relative to the loudest point so far, against NumPy and on sound itself."""

from __future__ import annotations

import numpy as np
import pytest

from ser_keras.errors import ConfigurationError
from ser_keras.features import reference
from ser_keras.features.spec import FeatureSpec
from ser_keras.model.dynamic_range import DynamicRange
from ser_keras.model.vrnn import VRNN
from ser_keras.recognition.streaming import StreamingRecognizer

SPEC = FeatureSpec(
    kind="log-mel",
    sample_rate=8000,
    window=0.5,
    hop=0.25,
    mel_bands=16,
    fft_size=256,
    frame_hop=256,
    statistics=(),
    top_db=None,
)


def relative(patches: np.ndarray, decibels: float = 60.0) -> np.ndarray:
    return DynamicRange(decibels)(patches).numpy()


@pytest.fixture
def speech() -> np.ndarray:
    """Bursts of noise between stretches of digital silence, two seconds at 8 kHz."""
    samples = np.random.default_rng(0).normal(0, 0.3, 16000).astype(np.float32)
    samples[:4500] = samples[9000:10500] = samples[13000:] = 0
    return samples


def rounded(samples: np.ndarray) -> np.ndarray:
    """As a 16-bit file holds it."""
    return (np.round(samples * 32768) / 32768).astype(np.float32)


@pytest.mark.parametrize("instants", [1, 2, 3, 7, 8])
def test_each_patch_is_relative_to_the_loudest_point_so_far_and_cut_off(instants: int):
    patches = np.random.default_rng(1).uniform(-100, 20, (3, instants, 4, 5)).astype(np.float32)
    patches[0] -= 40  # so quiet that nothing reaches the level of quiet speech
    expected = np.empty_like(patches)
    for item, instant in np.ndindex(3, instants):
        loudest = max(patches[item, : instant + 1].max(), -15)
        expected[item, instant] = np.maximum(patches[item, instant], loudest - 60) - loudest
    np.testing.assert_allclose(relative(patches), expected, atol=1e-4)


def test_step_by_step_it_is_the_same():
    patches = np.random.default_rng(2).uniform(-100, 20, (2, 6, 4, 5)).astype(np.float32)
    layer, loudest = DynamicRange(40.0), np.zeros((2, 1), np.float32)
    for instant, expected in enumerate(np.moveaxis(relative(patches, 40.0), 1, 0)):
        found, loudest = layer.step(patches[:, instant], loudest)
        np.testing.assert_allclose(found, expected, atol=1e-4)
        np.testing.assert_allclose(
            loudest[:, 0], 15 + patches[:, : instant + 1].max((1, 2, 3)), atol=1e-4
        )


def test_silence_is_the_same_whatever_it_is_made_of(speech: np.ndarray):
    hiss = np.random.default_rng(3).normal(0, 2e-5, len(speech)).astype(np.float32)
    digital, still = (reference.extract(sound, SPEC) for sound in (speech, speech + hiss))
    assert np.abs(digital - still).max() > 10
    found, expected = relative(digital[np.newaxis]), relative(still[np.newaxis])
    np.testing.assert_allclose(found, expected, atol=0.1)


def test_half_the_level_rounded_to_16_bits_is_the_same(speech: np.ndarray):
    loud, soft = (reference.extract(rounded(speech * level), SPEC) for level in (1, 0.5))
    np.testing.assert_allclose(relative(soft[np.newaxis]), relative(loud[np.newaxis]), atol=0.1)


def test_streams_have_the_levels_of_whole_recordings(speech: np.ndarray):
    model = VRNN.from_preset(
        "ravdess",
        ("calm", "angry"),
        seed=0,
        range_db=60.0,
        recognition_units=8,
        generation_units=8,
        classification_units=8,
        latent_size=4,
        **{name: value for name, value in SPEC.to_dict().items() if name != "coefficients"},
    )
    observations = reference.extract(speech, SPEC)[np.newaxis]
    model.adapt([observations])
    np.testing.assert_allclose(
        model.standardization.mean, relative(observations).mean((0, 1, 2)), atol=1e-4
    )
    expected = model(observations)
    recognizer = StreamingRecognizer(model)
    instants = [*recognizer.push(speech), *recognizer.finish()]
    found = np.array([list(instant["probabilities"].values()) for instant in instants])
    np.testing.assert_allclose(found, expected["timeline"][0], atol=1e-5)
    np.testing.assert_array_equal(
        [instant["attention"] for instant in instants], expected["attention"][0]
    )


def test_a_range_needs_log_mel_patches():
    for settings in ({}, {"kind": "log-mel"}, {"statistics": ()}):
        with pytest.raises(ConfigurationError, match="range_db"):
            VRNN.from_preset("ravdess", ("calm", "angry"), range_db=60.0, **settings)
    with pytest.raises(ConfigurationError, match=r"range_db: expected .*above 0.*, found -3"):
        VRNN.from_preset("convolutional", ("calm", "angry"), range_db=-3.0)
