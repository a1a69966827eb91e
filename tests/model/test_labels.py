"""Labels and weights as users give them: right ones train, wrong ones are named."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import tensorflow as tf

from ser_keras.errors import ConfigurationError
from ser_keras.features.spec import FeatureSpec
from ser_keras.model.labels import class_labels, one_hot, utterance_weights
from ser_keras.model.settings import Architecture, Preset
from ser_keras.model.vrnn import VRNN

CLASSES = ("calm", "angry", "sad")
B, T, D = 12, 3, 6
PRESET = Preset(
    features=FeatureSpec(coefficients=D),
    architecture=Architecture(
        recognition_units=4, generation_units=4, classification_units=4, latent_size=2
    ),
)
OBSERVATIONS = np.random.default_rng(0).normal(size=(B, T, D)).astype(np.float32)
LABELS = np.arange(B, dtype=np.int32) % len(CLASSES)
TOO_LOW, TOO_HIGH = (np.where(np.arange(B) == 5, wrong, LABELS) for wrong in (-1, 3))
EXPECTED = r"expected int \[B\] from 0 to 2 \(calm, angry, sad\)"


def compiled(jit_compile: bool = False, eager: bool = False, mixup: float = 0.0) -> VRNN:
    model = VRNN(CLASSES, PRESET.with_settings({"mixup": mixup}), seed=0)
    model.compile(jit_compile=jit_compile, run_eagerly=eager)
    model.adapt([OBSERVATIONS])
    return model


@pytest.fixture(scope="module")
def model() -> VRNN:
    return compiled()


@pytest.mark.parametrize("labels", [TOO_LOW, TOO_HIGH])
def test_a_label_that_is_no_class_is_refused_in_training_and_evaluation(
    model: VRNN, labels: np.ndarray
):
    found = rf"labels: {EXPECTED}, found from {labels.min()} to {labels.max()}$"
    for run in (
        lambda: model.fit(OBSERVATIONS, labels, verbose=0),
        lambda: model.fit(OBSERVATIONS, labels, class_weight={0: 2.0, 2: 0.5}, verbose=0),
        lambda: model.evaluate(OBSERVATIONS, labels, verbose=0),
        lambda: model.train_on_batch(OBSERVATIONS, labels),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=found):
            run()


def test_a_label_that_is_no_class_is_refused_where_utterances_are_mixed_and_eagerly():
    for model in (compiled(mixup=0.2), compiled(eager=True)):
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"labels: .* found from"):
            model.fit(OBSERVATIONS, TOO_HIGH, verbose=0)
        assert all(np.isfinite(array).all() for array in model.get_weights())


def test_within_xla_a_label_that_is_no_class_costs_nan():
    model = compiled(jit_compile=True)
    assert np.isfinite(model.evaluate(OBSERVATIONS, LABELS, verbose=0)).all()
    wrong = model.evaluate(OBSERVATIONS, TOO_LOW, verbose=0, return_dict=True)
    assert np.isnan(wrong["loss"])
    assert np.isnan(wrong["class_cross_entropy"])


def test_a_column_of_labels_or_weights_is_as_a_row(model: VRNN):
    weights = np.random.default_rng(1).uniform(size=B)
    row = model.evaluate(OBSERVATIONS, LABELS, sample_weight=weights, verbose=0)
    columns = {"y": LABELS[:, np.newaxis], "sample_weight": weights[:, np.newaxis]}
    assert model.evaluate(OBSERVATIONS, **columns, verbose=0) == pytest.approx(row, rel=1e-6)


def test_labels_of_another_shape_or_kind_are_named():
    for labels, found in (
        (np.eye(3, dtype=np.float32)[LABELS], r"shape \[12, 3\]; labels.argmax\(axis=-1\)"),
        (np.zeros((B, T, 1)), r"shape \[12, 3, 1\]"),
        (np.int32(1), r"shape \[\]"),
        (None, "none"),
        (np.array(CLASSES), "strings"),
    ):
        with pytest.raises(ConfigurationError, match=f"labels: {EXPECTED}, found {found}"):
            class_labels(labels, CLASSES)
    with pytest.raises(ConfigurationError, match=r"sample_weight: .*, found shape \[12, 3\]"):
        utterance_weights(np.ones((B, T)), tf.ones(B))


def test_fit_names_one_hot_and_missing_labels():
    model = compiled(eager=True)
    with pytest.raises(ConfigurationError, match=rf"labels: {EXPECTED}, found shape \[.*, 3\]"):
        model.fit(OBSERVATIONS, np.eye(3)[LABELS], verbose=0)
    with pytest.raises(ConfigurationError, match=f"labels: {EXPECTED}, found none"):
        model.fit(OBSERVATIONS, verbose=0)


def test_one_hot_is_tensorflows_but_for_what_is_no_class():
    labels = tf.constant([2, -1, 0, 3])
    found = one_hot(labels, 3).numpy()
    np.testing.assert_array_equal(found[[0, 2]], [[0, 0, 1], [1, 0, 0]])
    assert np.isnan(found[[1, 3]]).all()


def test_a_frozen_model_is_trained_as_keras_does_without_a_change():
    model = VRNN(CLASSES, PRESET, seed=0)
    model.trainable = False
    model.compile(run_eagerly=True)
    model.adapt([OBSERVATIONS])
    before = model.get_weights()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        history = model.fit(OBSERVATIONS, LABELS, verbose=0).history
    assert any("no trainable weights" in str(warning.message) for warning in caught)
    assert np.isfinite(history["loss"][0])
    seeds = {index for index, array in enumerate(before) if array.dtype == np.uint32}
    for index, (one, other) in enumerate(zip(before, model.get_weights(), strict=True)):
        if index not in seeds:
            np.testing.assert_array_equal(one, other)
