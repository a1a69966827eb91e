"""Observations in every form that Keras takes, and the standardization learnt from each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from ser_keras.errors import ConfigurationError
from ser_keras.features.spec import FeatureSpec
from ser_keras.model.batch import dense
from ser_keras.model.settings import Architecture, Preset
from ser_keras.model.vrnn import VRNN

CLASSES = ("calm", "angry", "sad")
B, T, D = 12, 4, 6
PRESET = Preset(
    features=FeatureSpec(coefficients=D),
    architecture=Architecture(
        recognition_units=4, generation_units=4, classification_units=4, latent_size=2
    ),
)
RANDOM = np.random.default_rng(0)
INSTANTS = np.array([4, 1, 2, 3] * 3, np.int32)
OBSERVATIONS = RANDOM.normal(3.0, 2.0, (B, T, D)).astype(np.float32)
OBSERVATIONS[np.arange(T) >= INSTANTS[:, np.newaxis]] = 0.0
PADDED = {"observations": OBSERVATIONS, "instants": INSTANTS}
RAGGED = tf.RaggedTensor.from_tensor(OBSERVATIONS, lengths=INSTANTS)
LABELS = np.arange(B, dtype=np.int32) % len(CLASSES)
VALID = OBSERVATIONS[np.arange(T) < INSTANTS[:, np.newaxis]]


class Batches(keras.utils.PyDataset):
    """Three batches of four utterances, or such without end."""

    def __init__(self, num_batches: int | None) -> None:
        super().__init__()
        self._count = num_batches

    @property
    def num_batches(self) -> int | None:
        return self._count

    def __getitem__(self, index: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        rows = slice(4 * (index % 3), 4 * (index % 3) + 4)
        return {name: values[rows] for name, values in PADDED.items()}, LABELS[rows]


def make_model(run_eagerly: bool = True) -> VRNN:
    """One that is not traced, which would take longer than to train it."""
    model = VRNN(CLASSES, PRESET, seed=0)
    model.compile(run_eagerly=run_eagerly)
    return model


@pytest.fixture(scope="module")
def trained() -> VRNN:
    """A model that has learnt its standardisation; tests only read it."""
    model = make_model(run_eagerly=False)
    model.adapt([PADDED])
    return model


def assert_standardizes(model: VRNN) -> None:
    np.testing.assert_allclose(model.standardization.mean, VALID.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(model.standardization.scale, VALID.std(axis=0), rtol=1e-4)


@pytest.mark.parametrize(
    "data",
    [
        (Batches(3),),
        (RAGGED, LABELS),
        ({"observations": RAGGED}, LABELS),
        (tf.data.Dataset.from_tensor_slices((RAGGED, LABELS)).batch(5),),
    ],
    ids=["a PyDataset", "ragged", "ragged in a mapping", "ragged in tf.data"],
)
def test_fit_learns_the_standardization_from_valid_instants(data: tuple[Any, ...]):
    model = make_model()
    history = model.fit(*data, verbose=0).history
    assert np.isfinite(history["loss"][0])
    assert_standardizes(model)


def test_ragged_observations_are_answered_as_padded_ones(trained: VRNN):
    expected = trained.predict(PADDED, verbose=0)
    nested = tf.ragged.constant(
        [OBSERVATIONS[index, :length].tolist() for index, length in enumerate(INSTANTS)]
    )
    assert nested.ragged_rank == 2  # what is made from lists does not know how long its vectors are
    for ragged in (RAGGED, nested, {"observations": RAGGED}):
        found = trained.predict(ragged, verbose=0)
        for name, values in expected.items():
            np.testing.assert_allclose(found[name], values, atol=1e-5, err_msg=name)
    metrics = trained.evaluate(PADDED, LABELS, verbose=0)
    assert trained.evaluate(RAGGED, LABELS, verbose=0) == pytest.approx(metrics, rel=1e-4)
    batches = tf.data.Dataset.from_tensor_slices((RAGGED, LABELS)).batch(5)
    assert trained.evaluate(batches, verbose=0) == pytest.approx(metrics, rel=1e-4)


def test_a_traced_step_takes_batches_of_a_ragged_tensor():
    model = make_model(run_eagerly=False)
    history = model.fit(RAGGED, LABELS, batch_size=5, verbose=0).history
    assert np.isfinite(history["loss"][0])


def test_instants_may_be_given_for_ragged_observations_too():
    observations, instants = dense({"observations": RAGGED, "instants": np.ones(B, np.int64)})
    assert observations.shape == (B, T, D)
    np.testing.assert_array_equal(instants, np.ones(B))
    assert instants.dtype == tf.int32


def generator() -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
    yield from (Batches(3)[index] for index in range(3))


@pytest.mark.parametrize(
    ("data", "kind"),
    [(generator(), "generator"), (iter([1]), "list_iterator")],
)
def test_fit_names_data_that_can_be_read_only_once(data: Any, kind: str):
    with pytest.raises(ConfigurationError, match=rf"fit: .* {kind}; .*model\.adapt\(training"):
        make_model().fit(data, verbose=0)


@pytest.mark.filterwarnings("ignore:`shuffle=True` was passed")
def test_a_model_that_has_been_adapted_is_trained_from_a_generator():
    model = make_model()
    model.adapt(generator())
    assert_standardizes(model)
    history = model.fit(generator(), steps_per_epoch=3, verbose=0).history
    assert np.isfinite(history["loss"][0])


def test_training_on_a_batch_before_adapting_warns():
    model = make_model()
    with pytest.warns(UserWarning, match=r"model\.adapt\(training_batches\) first: .* not"):
        model.train_on_batch(PADDED, LABELS)
    model.adapt([PADDED])
    assert np.isfinite(model.train_on_batch(PADDED, LABELS, return_dict=True)["loss"])
