"""Conventions that every layer of the package keeps, after keras-hub's `run_layer_test`."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf

from ser_keras.features.frontend import Frontend
from ser_keras.features.spec import FeatureSpec
from ser_keras.model.augmentation import (
    Mixup,
    SpectrogramFilter,
    SpectrogramMask,
    SpectrogramNoise,
)
from ser_keras.model.carry import Carry
from ser_keras.model.cell import VRNNCell
from ser_keras.model.convolution import PatchDecoder, PatchEncoder, PatchNormalization
from ser_keras.model.dynamic_range import DynamicRange
from ser_keras.model.lstm import LSTMCell
from ser_keras.model.standardization import Standardization
from ser_keras.model.warping import SpectrogramWarp

B, T, FRAMES, BANDS = 3, 2, 8, 6
RANDOM = np.random.default_rng(0)
SMALL = {"recognition_units": 6, "generation_units": 5, "classification_units": 7}
SIZES = {**SMALL, "classes": 4, "latent_size": 3, "recognition_dropout": 0.5, "seed": 1}


def normal(*shape: int) -> np.ndarray:
    return RANDOM.normal(size=shape).astype(np.float32)


class Case(NamedTuple):
    layer: type[keras.layers.Layer]
    options: dict[str, Any]
    inputs: tuple[np.ndarray, ...]
    shape: tuple[int, ...]  # of the first output
    jit: bool = True
    random: bool = False  # whether training draws random numbers

    def make(self, **kwargs: Any) -> keras.layers.Layer:
        return self.layer(**self.options, **kwargs)


CASES = {
    "LSTMCell": Case(LSTMCell, {"units": 4}, (normal(B, T, 5),), (B, T, 4)),
    "VRNNCell": Case(
        VRNNCell, {**SIZES, "observation_size": 9}, (normal(B, T, 9),), (B, T, 55), random=True
    ),
    "VRNNCell of patches": Case(
        VRNNCell,
        {
            **SIZES,
            "observation_size": FRAMES * BANDS,
            "patch": (FRAMES, BANDS),
            "overlap": 5,
            "recognition_channels": (2, 3),
            "generation_channels": (2, 3),
            "embedding_units": 4,
            "carry_over": True,
            "end_frames": 2,
            "decoder_reads_sampled": True,
        },
        (normal(B, T, FRAMES * BANDS),),
        (B, T, 5 * FRAMES * BANDS + 2 * 3 + 4),
        random=True,
    ),
    "Carry": Case(
        Carry,
        {"patch": (FRAMES, BANDS), "overlap": 5, "end_frames": 2},
        (normal(B, FRAMES * BANDS),),
        (B, FRAMES * BANDS),
    ),
    "PatchEncoder": Case(
        PatchEncoder,
        {"patch": (FRAMES, BANDS), "channels": (2, 3), "units": 5, "seed": 1},
        (normal(B, FRAMES * BANDS),),
        (B, 5),
    ),
    "PatchDecoder": Case(
        PatchDecoder,
        {"patch": (FRAMES, BANDS), "channels": (2, 3), "seed": 1},
        (normal(B, 5),),
        (B, 2 * FRAMES * BANDS),
    ),
    "PatchNormalization": Case(
        PatchNormalization, {}, (normal(B, FRAMES, BANDS, 2),), (B, FRAMES, BANDS, 2)
    ),
    "DynamicRange": Case(
        DynamicRange,
        {"decibels": 30.0},
        (20 * normal(B, T, FRAMES, BANDS),),
        (B, T, FRAMES, BANDS),
        jit=False,
    ),
    "Standardization": Case(Standardization, {}, (normal(B, T, 5),), (B, T, 5)),
    "SpectrogramFilter": Case(
        SpectrogramFilter,
        {"gain": 6.0, "seed": 1},
        (normal(B, T, FRAMES, BANDS),),
        (B, T, FRAMES, BANDS),
        random=True,
    ),
    "SpectrogramMask": Case(
        SpectrogramMask,
        {"bands": 4, "frames": 4, "seed": 1},
        (normal(B, T, FRAMES, BANDS),),
        (B, T, FRAMES, BANDS),
        random=True,
    ),
    "SpectrogramNoise": Case(
        SpectrogramNoise,
        {"deviation": 0.1, "seed": 1},
        (normal(B, T, 5),),
        (B, T, 5),
        random=True,
    ),
    "SpectrogramWarp": Case(
        SpectrogramWarp,
        {"tempo": 0.1, "tract": 0.2, "overlap": 5, "frequencies": [*range(BANDS)], "seed": 1},
        (normal(B, T, FRAMES, BANDS), np.array([1, 2, 2], np.int32)),
        (B, T, FRAMES, BANDS),
        random=True,
    ),
    "Mixup": Case(
        Mixup,
        {"alpha": 0.5, "seed": 1},
        (normal(B, T, 5), np.array([1, 2, 2], np.int32), np.eye(B, dtype=np.float32)),
        (B, T, 5),
        jit=False,
    ),
    "Frontend": Case(
        Frontend,
        {
            "spec": FeatureSpec(
                sample_rate=8000, window=0.2, hop=0.1, coefficients=13, fft_size=512, mel_bands=40
            )
        },
        (0.1 * normal(B, 2400), np.array([2400, 1600, 1800], np.int32)),
        (B, 2, 13),
        jit=False,
    ),
}
WITH_TRAINING_FLAG = {
    name: case
    for name, case in CASES.items()
    if "training" in inspect.signature(case.layer.call).parameters
}
every_layer = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def callable_on_sequences(layer: keras.layers.Layer) -> keras.layers.Layer:
    """The layer itself, or Keras' RNN around a cell."""
    if not hasattr(layer, "state_size"):
        return layer
    return keras.layers.RNN(layer, return_sequences=True, dtype=layer.dtype_policy)


def rewind(layer: Any) -> None:
    """Let a layer's random numbers begin again, the same for all layers."""
    for variable in getattr(layer, "variables", ()):
        if "seed_generator" in variable.path:
            variable.assign(np.ones(variable.shape))


def answers(layer: Callable[..., Any], inputs: Any, **kwargs: Any) -> list[np.ndarray]:
    """All outputs as arrays, with random numbers drawn from the beginning."""
    rewind(layer)
    return [np.asarray(output) for output in tf.nest.flatten(layer(*inputs, **kwargs))]


def assert_same(found: list[np.ndarray], expected: list[np.ndarray], atol: float = 1e-6) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one.astype(np.float32), other, atol=atol)


def functional(layer: keras.layers.Layer, inputs: tuple[np.ndarray, ...]) -> keras.Model:
    symbols = [keras.Input(array.shape[1:], dtype=array.dtype.name) for array in inputs]
    return keras.Model(symbols, callable_on_sequences(layer)(*symbols))


@every_layer
def test_the_configuration_makes_the_same_layer(case: Case):
    layer = case.make(name="mine")
    config = layer.get_config()
    again = case.layer.from_config(json.loads(json.dumps(config)))
    assert json.dumps(again.get_config()) == json.dumps(config)
    first, second = callable_on_sequences(layer), callable_on_sequences(again)
    expected = answers(first, case.inputs)
    second(*case.inputs)
    second.set_weights(first.get_weights())
    assert_same(answers(second, case.inputs), expected)


@every_layer
def test_outputs_have_the_expected_shape_for_any_batch(case: Case):
    layer = case.make()
    assert answers(callable_on_sequences(layer), case.inputs)[0].shape == case.shape
    model = functional(case.make(), case.inputs)
    assert model.outputs[0].shape[0] is None
    small = [array[:1] for array in case.inputs]
    assert tf.nest.flatten(model(small))[0].shape == (1, *case.shape[1:])


@every_layer
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_weights_are_kept_and_answers_close_under_every_policy(case: Case, policy: str):
    full, layer = (callable_on_sequences(case.make(dtype=name)) for name in ("float32", policy))
    expected = answers(full, case.inputs)
    layer(*case.inputs)
    layer.set_weights(full.get_weights())
    found = answers(layer, case.inputs)
    assert {weight.dtype for weight in layer.trainable_weights} <= {"float32"}
    assert found[0].dtype.name == layer.compute_dtype
    assert_same(found, expected, atol=1e-6 if policy == "float32" else 0.05)


@every_layer
def test_a_model_with_the_layer_is_saved_and_loaded(case: Case, tmp_path: Path):
    model = functional(case.make(), case.inputs)
    model.set_weights([np.asarray(weight) + 1 for weight in model.get_weights()])
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    for one, other in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert_same(answers(again, [list(case.inputs)]), answers(model, [list(case.inputs)]))


@every_layer
def test_xla_compiles_the_layer_unless_known_not_to(case: Case):
    layer = callable_on_sequences(case.make())
    expected = answers(layer, case.inputs)
    compiled = tf.function(lambda *inputs: layer(*inputs), jit_compile=True)
    if case.jit:
        assert_same(answers(compiled, case.inputs), expected, atol=1e-4)
    else:
        with pytest.raises((tf.errors.OpError, ValueError)):
            compiled(*case.inputs)


@every_layer
def test_a_saved_model_answers_the_same(case: Case, tmp_path: Path):
    layer = callable_on_sequences(case.make())
    expected = answers(layer, case.inputs)
    specs = [tf.TensorSpec((None, *array.shape[1:]), array.dtype) for array in case.inputs]
    module = tf.Module()
    module.weights = [weight.value for weight in layer.variables]
    module.serve = tf.function(lambda *inputs: layer(*inputs), input_signature=specs)
    rewind(layer)
    tf.saved_model.save(module, str(tmp_path / "saved"))
    loaded = tf.saved_model.load(str(tmp_path / "saved"))
    inputs = [tf.constant(array) for array in case.inputs]
    assert_same(answers(loaded.serve, inputs), expected, atol=1e-5)


@every_layer
def test_weights_that_are_set_are_used(case: Case):
    layer = callable_on_sequences(case.make())
    before = answers(layer, case.inputs)
    weights = [
        value + 1 if value.dtype == np.float32 else value
        for value in (np.asarray(weight) for weight in layer.get_weights())
    ]
    layer.set_weights(weights)
    for one, other in zip(layer.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(one, other)
    if any(value.dtype == np.float32 for value in weights):
        assert not np.allclose(answers(layer, case.inputs)[0], before[0])


@pytest.mark.parametrize("case", WITH_TRAINING_FLAG.values(), ids=WITH_TRAINING_FLAG)
def test_training_alone_draws_random_numbers(case: Case):
    layer = callable_on_sequences(case.make())
    used, trained = (answers(layer, case.inputs, training=flag) for flag in (False, True))
    assert_same(answers(layer, case.inputs), used)
    assert trained[0].shape == case.shape
    assert np.isfinite(trained[0]).all()
    assert np.allclose(trained[0], used[0]) != case.random
