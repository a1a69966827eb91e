"""Another tempo, vocal tract and beginning: what becomes of times and frequencies."""

from __future__ import annotations

import librosa
import numpy as np
import pytest

from ser_keras.errors import ConfigurationError
from ser_keras.features.augmentation import Augmentation
from ser_keras.features.frontend import Frontend
from ser_keras.model.presets import TINY
from ser_keras.model.settings import Preset
from ser_keras.model.vrnn import VRNN
from ser_keras.model.warping import SpectrogramWarp

B, T, FRAMES, OVERLAP = 300, 6, 8, 5
HOP = FRAMES - OVERLAP
FREQUENCIES = [100.0, 200.0, 300.0, 500.0, 800.0]
INSTANTS = np.where(np.arange(B) % 3, T, 4).astype(np.int32)


def spectrograms(times: bool) -> np.ndarray:
    """Patches whose points are the numbers of their frames, or the frequencies of their bands."""
    numbers = HOP * np.arange(T)[:, None] + np.arange(FRAMES)  # [T, FRAMES]
    of_frames = np.broadcast_to(numbers[..., None], (B, T, FRAMES, len(FREQUENCIES)))
    points = of_frames if times else np.broadcast_to(FREQUENCIES, of_frames.shape)
    patches = points.astype(np.float32)
    patches[np.arange(T) >= INSTANTS[:, None]] = 0.0  # padding
    return patches


def warp(patches: np.ndarray, tempo: float, tract: float) -> tuple[np.ndarray, np.ndarray]:
    layer = SpectrogramWarp(tempo, tract, OVERLAP, FREQUENCIES, seed=0)
    warped, instants = layer(patches, INSTANTS, training=True)
    return warped.numpy(), instants.numpy()


def frames_of(patches: np.ndarray) -> np.ndarray:
    """The frames of an utterance in turn: [frames, bands]."""
    return np.concatenate([patches[0], *patches[1:, OVERLAP:]])


def test_nothing_is_warped_in_use():
    patches = spectrograms(times=True)
    found, instants = SpectrogramWarp(0.5, 0.5, OVERLAP, FREQUENCIES, seed=0)(patches, INSTANTS)
    np.testing.assert_array_equal(found, patches)
    np.testing.assert_array_equal(instants, INSTANTS)


def test_half_stay_and_the_others_have_a_tempo_and_a_beginning_of_their_own():
    patches = spectrograms(times=True)
    warped, instants = warp(patches, tempo=0.2, tract=0.0)
    assert warped.shape[1] == instants.max()
    rates, begins = [], []
    for before, after, had, has in zip(patches, warped, INSTANTS, instants, strict=True):
        times = frames_of(after[:has])[:, 0]
        last = HOP * had + OVERLAP - 1
        assert times.max() <= last
        assert last - times[-1] < HOP * np.exp(0.2)  # nothing is left out at the end
        if has == had and (after[:has] == before[:had]).all():
            continue
        inner = times[times < last]
        rate, begin = np.polyfit(np.arange(len(inner)), inner, 1)
        np.testing.assert_allclose(inner, begin + rate * np.arange(len(inner)), atol=1e-3)
        np.testing.assert_array_equal(times[len(inner) :], last)  # the last frame again
        rates.append(rate)
        begins.append(begin)
    assert len(rates) == pytest.approx(B / 2, abs=3 * np.sqrt(B / 4))
    assert np.abs(np.log(rates)).max() <= 0.2
    # The logarithm is even between its bounds.
    assert np.log(rates).std() == pytest.approx(0.2 / np.sqrt(3), rel=0.15)
    assert set(np.rint(begins)) == set(range(HOP))


def test_patches_still_overlap():
    warped, instants = warp(np.random.default_rng(0).normal(size=(B, T, 8, 5)), 0.2, 0.2)
    changed = [row[:has] for row, has in zip(warped, instants, strict=True)][:20]
    same = [(row[1:, :OVERLAP] == row[:-1, HOP:]).all() for row in changed]
    assert 5 < sum(same) < 15  # of noise, what stays as it is does not overlap


def test_all_frequencies_are_as_many_times_as_high():
    warped, _ = warp(spectrograms(times=False), tempo=0.0, tract=0.3)
    curves = warped[:, 0, 0]
    np.testing.assert_array_equal(warped[:, 0], np.broadcast_to(curves[:, None], (B, 8, 5)))
    # A band has what was at its frequency divided by the height, as far as there are bands.
    heights = 300.0 / curves[:, 2]
    expected = np.clip(np.divide.outer(FREQUENCIES, heights).T, 100.0, 800.0)
    np.testing.assert_allclose(curves, expected, rtol=1e-4)
    assert 0.25 < np.abs(np.log(heights)).max() <= 0.3


def test_a_tone_sounds_as_high_as_one_of_that_frequency():
    """Frequencies of the model's own features, against librosa's tone of another height."""
    rate, features = 16000, TINY.features
    frontend = Frontend(features)

    def bands(hertz: float) -> np.ndarray:
        tone = librosa.tone(hertz, sr=rate, length=2 * rate)[None]
        observations, _ = frontend(tone.astype(np.float32), np.array([2 * rate]))
        return np.asarray(observations)[0, 0]

    assert features.band_frequencies is not None
    overlap, frequencies = features.overlap_frames, features.band_frequencies
    layer = SpectrogramWarp(0.0, 0.4, overlap, frequencies, seed=0)
    tone = bands(1500.0)
    patches = np.broadcast_to(tone, (40, 1, *tone.shape))
    warped = layer(patches, np.ones(40, np.int32), training=True)[0].numpy()
    scales = np.broadcast_to(np.asarray(frequencies, np.float32), patches.shape)
    rewound = SpectrogramWarp(0.0, 0.4, overlap, frequencies, seed=0)
    read = rewound(scales, np.ones(40, np.int32), training=True)[0].numpy()[:, 0, 0]
    for patch, heard in zip(warped[:, 0], read, strict=True):
        height = frequencies[20] / heard[20]
        highest = patch[30].argmax()
        assert abs(highest - bands(1500.0 * height)[30].argmax()) <= 1


def test_training_reads_warped_patches_and_evaluation_does_not():
    options = {"tempo": 0.2, "tract": 0.1, "point_noise": 0.1}
    preset = TINY.with_settings({**options, "range_db": None, "mixup": 0.0})
    model = VRNN(("a", "b"), preset, seed=0)
    model.compile()
    shape = (8, 3, *model.features.observation_shape)
    x, y = np.random.default_rng(0).normal(size=shape).astype(np.float32), np.arange(8) % 2
    layers = [layer for layer in (model.warp, model.noise) if layer is not None]
    assert len(layers) == 2
    before = [int(layer.seed_generator.state[1]) for layer in layers]
    model.fit(x, y, batch_size=8, verbose=0)
    trained = [int(layer.seed_generator.state[1]) for layer in layers]
    assert all(one < other for one, other in zip(before, trained, strict=True))
    first, again = (model.evaluate(x, y, verbose=0, return_dict=True) for _ in range(2))
    assert first == again
    assert [int(layer.seed_generator.state[1]) for layer in layers] == trained
    with pytest.raises(ConfigurationError, match="tempo, tract"):
        model.compile(jit_compile=True)


def test_tempo_needs_patches_that_overlap():
    with pytest.raises(ConfigurationError, match="tempo, tract: expected log-mel"):
        Preset(augmentation=Augmentation(tempo=0.1))
    with pytest.raises(ConfigurationError, match="hop: expected a multiple of frame_hop"):
        TINY.with_settings({"hop": 0.0101, "end_frames": 0, "tract": 0.1})
