"""The reference features are exactly what direct calls of librosa give."""

from __future__ import annotations

import json

import librosa
import numpy as np
import pytest

from ser_keras.errors import ConfigurationError
from ser_keras.features import reference
from ser_keras.features.spec import FeatureSpec


@pytest.fixture
def noise() -> np.ndarray:
    """3.7 seconds: two windows and a tail that is ignored."""
    return np.random.default_rng(1).normal(size=round(3.7 * 22050)).astype(np.float32) * 0.1


def test_the_papers_features_are_mean_mfccs_of_each_window(noise: np.ndarray):
    windows = [noise[:44100], noise[22050:66150]]
    expected = [librosa.feature.mfcc(y=w, sr=22050, n_mfcc=40).mean(axis=1) for w in windows]
    np.testing.assert_array_equal(reference.extract(noise, FeatureSpec()), expected)


def test_standard_deviations_follow_the_means(noise: np.ndarray):
    mfcc = librosa.feature.mfcc(y=noise[:44100], sr=22050, n_mfcc=40)
    observation = reference.extract(noise, FeatureSpec(statistics=("mean", "std")))[0]
    np.testing.assert_allclose(
        observation, np.concatenate([mfcc.mean(axis=1), mfcc.std(axis=1)]), rtol=1e-5
    )


def test_a_log_mel_patch_has_frames_first(noise: np.ndarray):
    spec = FeatureSpec(kind="log-mel", mel_bands=64, fft_size=1024, frame_hop=256, statistics=())
    power = librosa.feature.melspectrogram(
        y=noise[22050:66150], sr=22050, n_fft=1024, hop_length=256, n_mels=64
    )
    patch = reference.extract(noise, spec)[1]
    assert patch.shape == spec.observation_shape == (173, 64)
    np.testing.assert_array_equal(patch, librosa.power_to_db(power, ref=1.0).T)


def test_the_loudest_point_of_one_window_leaves_the_others_alone(noise: np.ndarray):
    louder = noise.copy()
    louder[66150:] *= 1000
    np.testing.assert_array_equal(
        reference.extract(louder, FeatureSpec()), reference.extract(noise, FeatureSpec())
    )


@pytest.mark.parametrize(
    ("samples", "instants"), [(0, 0), (44099, 0), (44100, 1), (66149, 1), (66150, 2), (88200, 3)]
)
def test_only_whole_windows_count(samples: int, instants: int):
    spec = FeatureSpec()
    assert spec.instants(samples) == instants
    observations = reference.extract(np.zeros(samples, np.float32), spec)
    assert observations.shape == (instants, 40)
    assert observations.dtype == np.float32


def test_silence_is_appended_to_a_recording(noise: np.ndarray):
    spec = FeatureSpec(trailing_silence=0.7)
    followed = np.concatenate([noise, np.zeros(round(0.7 * 22050), np.float32)])
    expected = reference.extract(followed, FeatureSpec())
    np.testing.assert_array_equal(reference.extract(noise, spec), expected)
    assert len(expected) == spec.instants(len(noise))
    np.testing.assert_array_equal(reference.extract_window(followed[:44100], spec), expected[0])


@pytest.mark.parametrize("kind", ["mfcc", "log-mel"])
def test_the_mean_of_a_window_is_subtracted(noise: np.ndarray, kind: str):
    spec = FeatureSpec(kind=kind, remove_offset=True)
    windows = [noise[:44100], noise[22050:66150]]
    means = [window.astype(np.float64).mean() for window in windows]
    plain = FeatureSpec(kind=kind)
    expected = [
        reference.extract_window((window - mean).astype(np.float32), plain)
        for window, mean in zip(windows, means, strict=True)
    ]
    np.testing.assert_allclose(reference.extract(noise, spec), expected, rtol=1e-5, atol=1e-4)
    offset = reference.extract(noise + np.float32(0.01), spec)
    np.testing.assert_allclose(offset, reference.extract(noise, spec), rtol=1e-4, atol=1e-3)
    assert np.abs(reference.extract(noise + np.float32(0.01), plain) - expected).max() > 0.1


@pytest.mark.parametrize("silence", [-0.1, 2.0, "long"])
def test_trailing_silence_is_shorter_than_a_window(silence: object):
    with pytest.raises(ConfigurationError, match="trailing_silence: expected"):
        FeatureSpec(trailing_silence=silence)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["mfcc", "log-mel"])
def test_silence_has_finite_features(kind: str):
    silence = np.zeros(44100, np.float32)
    assert np.isfinite(reference.extract(silence, FeatureSpec(kind=kind))).all()


def test_channels_must_have_been_mixed_down():
    with pytest.raises(ValueError, match="one dimension"):
        reference.extract(np.zeros((44100, 2), np.float32), FeatureSpec())


def test_shapes_and_labels_agree():
    pooled = FeatureSpec(statistics=("mean", "std"))
    assert pooled.observation_shape == (80,)
    assert pooled.labels()[0] == "MFCC 1 mean"
    assert pooled.labels()[79] == "MFCC 40 std"
    patch = FeatureSpec(kind="log-mel", statistics=())
    assert patch.observation_shape == (87, 128)
    assert patch.observation_size == 87 * 128
    assert patch.labels()[127] == "mel band 128"


def test_a_specification_survives_json():
    spec = FeatureSpec(kind="log-mel", statistics=("std",), top_db=None)
    assert FeatureSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


@pytest.mark.parametrize(
    "options",
    [
        {"kind": "plp"},
        {"sample_rate": 0},
        {"sample_rate": 22050.0},
        {"window": -1.0},
        {"window": 0.05},
        {"hop": 0.0},
        {"hop": float("nan")},
        {"hop": 1e-6},
        {"coefficients": 129},
        {"fft_size": 2047},
        {"mel_bands": 2000},
        {"statistics": ("median",)},
        {"statistics": ("mean", "mean")},
        {"statistics": "mean"},
        {"top_db": 0.0},
        {"colour": "blue"},
    ],
)
def test_a_wrong_option_is_named(options: dict):
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        FeatureSpec.from_dict(options)
