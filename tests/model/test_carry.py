"""What is known of the next observation, against copies made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from ser_keras import VRNN, presets
from ser_keras.errors import ConfigurationError
from ser_keras.features.augmentation import Augmentation
from ser_keras.features.spec import FeatureSpec
from ser_keras.model import objective
from ser_keras.model.carry import Carry
from ser_keras.model.cell import Step
from ser_keras.model.settings import Architecture, Preset

FRAMES, BANDS, OVERLAP = 7, 5, 4
PATCHES = np.random.default_rng(0).normal(size=(3, FRAMES, BANDS)).astype(np.float32)
FLAT = PATCHES.reshape(3, -1)


def carried(**options: Any) -> np.ndarray:
    layer = Carry(patch=(FRAMES, BANDS), overlap=OVERLAP, **options)
    return np.asarray(layer(FLAT)).reshape(PATCHES.shape)


def test_frames_that_both_patches_have_move_to_the_front():
    found = carried()
    np.testing.assert_array_equal(found[:, :OVERLAP], PATCHES[:, -OVERLAP:])
    np.testing.assert_array_equal(found[:, OVERLAP:], 0)


def test_frames_are_corrected_by_both_ends_of_the_known_in_every_band_alike():
    layer = Carry(patch=(FRAMES, BANDS), overlap=OVERLAP, end_frames=1)
    np.testing.assert_array_equal(np.asarray(layer(FLAT)).reshape(PATCHES.shape), carried())
    weights = np.arange(2.0 * FRAMES, dtype=np.float32).reshape(FRAMES, 2)
    layer.combinations.assign(weights)
    found = np.asarray(layer(FLAT)).reshape(PATCHES.shape) - carried()
    expected = [
        [first * patch[-OVERLAP] + last * patch[-1] for first, last in weights] for patch in PATCHES
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_patches_that_share_nothing_carry_nothing():
    layer = Carry(patch=(FRAMES, BANDS), overlap=0)
    np.testing.assert_array_equal(layer(FLAT), np.zeros_like(FLAT))


def test_an_observation_without_frames_is_carried_over_as_it_is():
    np.testing.assert_array_equal(Carry()(FLAT), FLAT)


@pytest.mark.parametrize(
    ("hop_frames", "overlap"), [(2, 4), (6, 0), (9, 0), (1.5, 0)], ids=["half", "all", "gap", "off"]
)
def test_the_overlap_follows_from_window_and_hop(hop_frames: float, overlap: int):
    options: dict[str, Any] = {"statistics": (), "sample_rate": 8000, "frame_hop": 400}
    features = FeatureSpec(window=5 * 400 / 8000, hop=hop_frames * 400 / 8000, fft_size=512)
    features = FeatureSpec.from_dict({**features.to_dict(), **options})
    assert (features.frames, features.overlap_frames) == (6, overlap)


def test_pooled_observations_share_no_frames():
    assert presets.RAVDESS.features.overlap_frames == 0


def test_an_untrained_decoder_predicts_what_is_known():
    """With the decoder's weights at zero, x̂_{t+1} is the sampled patch, shifted."""
    model = VRNN(("calm", "angry"), presets.TINY, seed=0)
    for weight in model.cell.likelihood.weights:
        weight.assign(tf.zeros_like(weight))
    frames, bands = model.features.observation_shape
    observations = np.random.default_rng(1).normal(size=(2, 3, frames * bands)).astype("float32")
    steps = model._steps(observations, training=False)
    sampled = steps.attention * observations + (1 - steps.attention) * steps.prediction
    sampled = np.reshape(sampled, (2, 3, frames, bands))
    predicted = np.reshape(steps.prediction, (2, 3, frames, bands))
    overlap = model.features.overlap_frames
    np.testing.assert_array_equal(predicted[:, 1:, :overlap], sampled[:, :-1, -overlap:])
    np.testing.assert_array_equal(predicted[:, 1:, overlap:], 0)


@pytest.mark.parametrize("preset", ["ravdess", "tiny"])
def test_a_decoder_that_reads_what_was_sampled_needs_no_latent_variable(preset: str):
    model = VRNN.from_preset(
        presets.get(preset), ("calm", "angry"), seed=0, decoder_reads_sampled=True
    )
    cell = model.cell
    cell.posterior.kernel.assign(tf.zeros_like(cell.posterior.kernel))  # z_t = 0 at every instant
    shape = (1, model.features.observation_size)
    steps = [
        Step.split(cell(np.full(shape, level, "float32"), cell.get_initial_state(1))[0], cell.sizes)
        for level in (0.0, 1.0)
    ]
    np.testing.assert_array_equal(steps[0].posterior_mean, steps[1].posterior_mean)
    assert np.abs(steps[0].next_mean - steps[1].next_mean).max() > 1e-3


def test_masked_points_are_to_be_generated_as_they_were(monkeypatch: pytest.MonkeyPatch):
    preset = Preset(
        features=FeatureSpec(kind="log-mel", statistics=(), window=0.2, hop=0.1, mel_bands=5),
        architecture=Architecture(4, 4, 4, 2, 0.0, 0.0, 0.0),
        augmentation=Augmentation(band_mask=5, frame_mask=4),
    )
    model = VRNN(("calm", "angry"), preset, seed=0)
    model.compile(run_eagerly=True)
    inputs = np.random.default_rng(0).normal(size=(8, 3, *model.features.observation_shape))
    inputs = inputs.astype(np.float32)
    model.adapt([inputs])
    targets: list[Any] = []
    seen: list[Any] = []
    terms, steps = objective.terms, model._steps

    def noting_targets(found: Step, x: Any, *rest: Any) -> objective.Terms:
        targets.append(x)
        return terms(found, x, *rest)

    def noting_inputs(x: Any, training: bool) -> Step:
        seen.append(x)
        return steps(x, training)

    monkeypatch.setattr(objective, "terms", noting_targets)
    monkeypatch.setattr(model, "_steps", noting_inputs)
    model.fit(inputs, np.arange(8) % 2, verbose=0, shuffle=False)
    expected = np.asarray(model.standardization(inputs)).reshape(8, 3, -1)
    np.testing.assert_allclose(targets[0], expected, atol=1e-6)
    masked = np.asarray(seen[0]) == 0
    assert 0.05 < masked.mean() < 0.95
    np.testing.assert_allclose(np.asarray(seen[0])[~masked], expected[~masked], atol=1e-6)


@pytest.mark.parametrize(
    ("preset", "settings", "message"),
    [
        ("tiny", {"end_frames": 4, "carry_over": False}, "end_frames: .* found 4"),
        ("tiny", {"carry_over": True, "end_frames": 33}, "end_frames: .* 32, found 33"),
        ("ravdess", {"carry_over": True, "end_frames": 1}, "end_frames: .* 0, found 1"),
    ],
)
def test_frames_that_there_are_not_are_refused(preset: str, settings: dict[str, Any], message: str):
    with pytest.raises(ConfigurationError, match=message):
        presets.get(preset).with_settings(settings)
