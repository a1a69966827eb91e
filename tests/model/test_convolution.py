"""Convolutions over patches against SciPy, and what a model over time needs of them."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import scipy.signal
import tensorflow as tf

from ser_keras.errors import ConfigurationError
from ser_keras.features.spec import FeatureSpec
from ser_keras.model.convolution import (
    PatchDecoder,
    PatchEncoder,
    PatchNormalization,
    _depth_to_space,
    _space_to_depth,
)
from ser_keras.model.settings import Architecture, Preset
from ser_keras.model.vrnn import VRNN

PATCHES = FeatureSpec(
    kind="log-mel",
    sample_rate=8000,
    window=0.1,
    hop=0.05,
    mel_bands=10,
    fft_size=256,
    frame_hop=64,
    statistics=(),
)
PRESET = Preset(
    features=PATCHES,
    architecture=Architecture(
        recognition_units=6,
        generation_units=5,
        classification_units=7,
        latent_size=4,
        recognition_channels=(3, 4),
        generation_channels=(2, 3),
        embedding_units=5,
    ),
)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(3)


@pytest.mark.parametrize("block", [2, 4])
def test_points_become_channels_and_channels_points_as_tensorflow_does_it(
    block: int, random: np.random.Generator
):
    patches = random.normal(size=(3, 16, 8)).astype(np.float32)
    expected = tf.nn.space_to_depth(patches[..., np.newaxis], block)
    blocks = _space_to_depth(patches, block)
    np.testing.assert_array_equal(blocks, expected)
    np.testing.assert_array_equal(_depth_to_space(blocks, block), patches)


def test_an_encoder_computed_by_scipy(random: np.random.Generator):
    encoder = PatchEncoder((8, 6), (2,), 3, seed=1)
    patch = random.normal(size=(1, 48)).astype(np.float32)
    found = encoder(patch).numpy()[0]
    kernel = encoder.convolutions[0].kernel.numpy()
    # Blocks of 2 × 2 points are channels: together a filter of 6 × 6 points with a stride of two.
    image = np.pad(patch.reshape(8, 6), 2)
    filters = kernel.reshape(3, 3, 2, 2, 2).transpose(0, 2, 1, 3, 4).reshape(6, 6, 2)
    maps = np.stack(
        [scipy.signal.correlate2d(image, filters[..., c], "valid")[::2, ::2] for c in (0, 1)], -1
    )
    maps = np.maximum((maps - maps.mean()) / np.sqrt(maps.var() + 1e-3), 0)
    flat = np.concatenate([maps.mean(0), maps.max(0)], -1).ravel()
    bands = patch.reshape(8, 6)
    flat = np.concatenate([flat, bands.mean(0), np.sqrt(bands.var(0) + 1e-3)])
    summary = flat @ encoder.summary.kernel.numpy()
    expected = (summary - summary.mean()) / np.sqrt(summary.var() + 1e-3)
    np.testing.assert_allclose(found, np.maximum(expected, 0), atol=1e-5)


def test_normalization_ignores_the_level_of_a_patch_and_other_items(random: np.random.Generator):
    normalize = PatchNormalization()
    maps = random.normal(size=(2, 4, 5, 3)).astype(np.float32)
    both = normalize(maps).numpy()
    assert both.mean(axis=(1, 2, 3)) == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(normalize(maps[:1]).numpy(), both[:1], atol=1e-6)
    np.testing.assert_allclose(normalize(100 + 7 * maps).numpy(), both, atol=2e-3)


def test_normalization_and_its_gradient_are_of_the_formula(random: np.random.Generator):
    """Written out, as version 0.1 computed it: not a bit differs."""
    layer = PatchNormalization()
    maps = tf.constant(3 + 2 * random.normal(size=(2, 8, 6, 24)).astype(np.float32))
    layer.build(maps.shape)
    layer.gamma.assign(random.normal(size=24))
    layer.beta.assign(random.normal(size=24))
    upstream = tf.constant(random.normal(size=maps.shape).astype(np.float32))

    def formula(inputs: tf.Tensor) -> tf.Tensor:
        mean, variance = tf.nn.moments(inputs, axes=[1, 2, 3], keepdims=True)
        scale = layer.gamma.value * tf.math.rsqrt(variance + 1e-3)
        return inputs * scale + (layer.beta.value - mean * scale)

    found = []
    for normalize in (layer, formula):
        with tf.GradientTape() as tape:
            tape.watch(maps)
            normalized = normalize(maps)
        variables = [maps, layer.gamma.value, layer.beta.value]
        found.append([normalized, *tape.gradient(normalized, variables, upstream)])
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("patch", [(8, 6), (7, 5)])
def test_an_odd_patch_is_padded(patch: tuple[int, int], random: np.random.Generator):
    encoder, even = (PatchEncoder(shape, (2, 3), 4, seed=1) for shape in (patch, (8, 6)))
    flat = random.normal(size=(2, patch[0] * patch[1])).astype(np.float32)
    image = np.pad(flat.reshape(2, *patch), ((0, 0), (0, 8 - patch[0]), (0, 6 - patch[1])))
    for layer, size in ((encoder, flat.shape[1]), (even, 48)):
        layer.build((None, size))
    # The convolutions alone: the statistics are of the patch without its padding.
    maps = even.summary.kernel.numpy()
    maps[-12:] = 0
    even.summary.kernel.assign(maps)
    encoder.summary.kernel.assign(np.pad(maps[:-12], ((0, 2 * patch[1]), (0, 0))))
    np.testing.assert_allclose(encoder(flat), even(image.reshape(2, 48)), atol=1e-6)


def test_a_decoder_computed_by_scipy(random: np.random.Generator):
    decoder = PatchDecoder((8, 4), (3,), seed=1)
    hidden = random.normal(size=(1, 5)).astype(np.float32)
    mean, log_scale = np.split(decoder(hidden).numpy()[0], 2)
    maps = np.maximum(hidden @ decoder.spread.kernel.numpy(), 0).reshape(2, 1, 3)
    kernel = decoder.convolutions[0].kernel.numpy()
    padded = np.pad(maps, ((1, 1), (1, 1), (0, 0)))
    blocks = np.stack(
        [
            sum(
                scipy.signal.correlate2d(padded[..., c], kernel[:, :, c, k], "valid")
                for c in range(3)
            )
            for k in range(32)
        ],
        -1,
    )
    for found, half in ((mean, blocks[..., :16]), (log_scale, blocks[..., 16:])):
        # Points of a block lie beside one another: frame by frame, band by band.
        patch = half.reshape(2, 1, 4, 4).transpose(0, 2, 1, 3).reshape(8, 4)
        np.testing.assert_allclose(found, patch.ravel(), atol=1e-5)


@pytest.mark.parametrize("patch", [(32, 16), (29, 10)])
def test_a_decoder_gives_mean_and_scale_of_every_point(
    patch: tuple[int, int], random: np.random.Generator
):
    decoder = PatchDecoder(patch, (2, 3, 4), seed=1)
    outputs = decoder(random.normal(size=(3, 5)).astype(np.float32)).numpy()
    assert outputs.shape == (3, 2 * patch[0] * patch[1])
    mean, log_scale = np.split(outputs, 2, axis=1)
    assert not np.allclose(mean, log_scale)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_reads_in_half_and_generates_in_full(
    policy: str, random: np.random.Generator
):
    model = VRNN(("a", "b"), PRESET, seed=0, dtype=policy)
    encoder = model.cell.encoder
    assert encoder is not None
    assert encoder.summary.compute_dtype == policy.removeprefix("mixed_")
    assert {layer.compute_dtype for layer in model.cell.likelihood.convolutions} == {"float32"}
    assert {weight.dtype for weight in model.trainable_variables} == {"float32"}
    sound = random.normal(size=(8, 3, *PATCHES.observation_shape)).astype(np.float32)
    model.compile()
    history = model.fit(sound, np.arange(8) % 2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    full = VRNN(("a", "b"), PRESET, seed=0, dtype="float32")
    full.set_weights(model.get_weights())
    np.testing.assert_allclose(
        model.predict(sound, verbose=0)["probabilities"],
        full.predict(sound, verbose=0)["probabilities"],
        atol=0.02,
    )


def test_answers_do_not_depend_on_batch_padding_or_future(random: np.random.Generator):
    model = VRNN(("a", "b"), PRESET, seed=0)
    sound = random.normal(size=(2, 5, *PATCHES.observation_shape)).astype(np.float32)
    whole = model.predict(sound, verbose=0)
    alone = model.predict(sound[:1, :3], verbose=0)
    for name in ("timeline", "attention", "prediction"):
        np.testing.assert_allclose(alone[name], whole[name][:1, :3], atol=1e-5)
    assert whole["attention"].shape == (2, 5, PATCHES.observation_size)
    assert set(np.unique(whole["attention"])) == {0.0, 1.0}
    assert (whole["attention"][:, 0] == 1).all()


def test_learns_and_is_saved_with_all_it_learnt(random: np.random.Generator, tmp_path: Path):
    labels = np.arange(32) % 2
    sound = random.normal(size=(32, 3, *PATCHES.observation_shape)).astype(np.float32)
    sound[labels == 1, :, :, :5] += 1.5
    settings = {"optimizer": "adam", "learning_rate": 0.01}
    model = VRNN(("a", "b"), PRESET.with_settings(settings), seed=0)
    model.compile()
    losses = model.fit(sound, labels, batch_size=16, epochs=25, verbose=0).history
    assert losses["generation_nll"][-1] < losses["generation_nll"][0]
    assert model.evaluate(sound, labels, verbose=0, return_dict=True)["accuracy"] > 0.9
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        again.predict(sound, verbose=0)["logits"], model.predict(sound, verbose=0)["logits"]
    )


def test_convolutions_need_patches():
    with pytest.raises(ConfigurationError, match=r"expected patches, features with st"):
        VRNN(("a", "b"), Preset(architecture=PRESET.architecture))
