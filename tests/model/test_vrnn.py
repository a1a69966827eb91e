"""The Keras model: invariances that a user relies on, and Keras' own conventions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from ser_keras.errors import ConfigurationError
from ser_keras.features.spec import FeatureSpec
from ser_keras.model.batch import WITHOUT_TIME
from ser_keras.model.settings import Architecture, Objective, Optimization, Preset
from ser_keras.model.vrnn import VRNN
from ser_keras.recognition import uncertainty

CLASSES = ("calm", "angry", "sad")
D = 6
PRESET = Preset(
    features=FeatureSpec(coefficients=D),
    architecture=Architecture(
        recognition_units=8, generation_units=7, classification_units=9, latent_size=3
    ),
    optimization=Optimization(batch_size=8),
)


def make_model(seed: int = 0, **settings: Any) -> VRNN:
    return VRNN.from_preset(PRESET, CLASSES, seed=seed, **settings)


def make_data(count: int = 24, length: int = 5, seed: int = 0):
    """Padded sequences whose class shows in their mean."""
    random = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int32) % len(CLASSES)
    instants = random.integers(1, length + 1, count).astype(np.int32)
    observations = random.normal(size=(count, length, D)) + 2 * labels[:, None, None]
    observations[np.arange(length) >= instants[:, None]] = 0.0
    return {"observations": observations.astype(np.float32), "instants": instants}, labels


@pytest.fixture(scope="module")
def trained() -> VRNN:
    """A model that tests only read: to trace one takes seconds."""
    model = make_model()
    model.compile()
    model.fit(*make_data(), epochs=2, batch_size=8, verbose=0)
    return model


@pytest.mark.io_stack
def test_learns():
    inputs, labels = make_data(96)
    model = make_model(recognition_dropout=0.0, classification_dropout=0.0)
    model.compile(keras.optimizers.RMSprop(0.01))
    history = model.fit(inputs, labels, epochs=60, batch_size=32, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert history["accuracy"][-1] > 0.8


def test_padding_changes_no_output(trained: VRNN):
    inputs, _ = make_data()
    more = np.pad(inputs["observations"], [(0, 0), (0, 7), (0, 0)], constant_values=123.0)
    plain = trained.predict(inputs, verbose=0)
    padded = trained.predict({**inputs, "observations": more}, verbose=0)
    for name, values in plain.items():
        length = values.shape[1] if values.ndim > 1 and name != "probabilities" else None
        other = padded[name][:, :length] if length and name != "logits" else padded[name]
        np.testing.assert_allclose(other, values, atol=1e-5, err_msg=name)


def test_other_utterances_in_the_batch_change_no_output(trained: VRNN):
    inputs, _ = make_data()
    together = trained.predict(inputs, verbose=0)
    for index in range(4):
        length = inputs["instants"][index]
        alone = trained.predict(inputs["observations"][[index], :length], verbose=0)
        np.testing.assert_allclose(
            alone["probabilities"][0], together["probabilities"][index], atol=1e-5
        )
        np.testing.assert_allclose(
            alone["saliency"][0], together["saliency"][index, :length], atol=1e-5
        )


def test_the_answer_is_that_of_the_last_instant(trained: VRNN):
    inputs, _ = make_data()
    outputs = trained.predict(inputs, verbose=0)
    rows = np.arange(len(inputs["instants"]))
    np.testing.assert_array_equal(
        outputs["probabilities"], outputs["timeline"][rows, inputs["instants"] - 1]
    )
    np.testing.assert_allclose(outputs["probabilities"].sum(axis=-1), 1, rtol=1e-6)
    np.testing.assert_allclose(outputs["sampled_fraction"][:, 0], 1)


def test_later_instants_change_no_earlier_ones(trained: VRNN):
    inputs, _ = make_data(count=6)
    whole = trained.predict(inputs["observations"], verbose=0)["timeline"]
    part = trained.predict(inputs["observations"][:, :2], verbose=0)["timeline"]
    np.testing.assert_allclose(part, whole[:, :2], atol=1e-6)


def test_predict_takes_batches_of_different_lengths(trained: VRNN):
    long, _ = make_data(count=5, length=6)
    short, _ = make_data(count=5, length=3)
    batches = [tf.data.Dataset.from_tensors(inputs) for inputs in (long, short)]
    specification = {
        "observations": tf.TensorSpec((None, None, D)),
        "instants": tf.TensorSpec((None,), tf.int32),
    }
    both = tf.data.Dataset.from_generator(
        lambda: (inputs for part in batches for inputs in part), output_signature=specification
    ).apply(tf.data.experimental.assert_cardinality(2))
    at_once = make_model()  # two batches to a call of Keras' own loop
    at_once.set_weights(trained.get_weights())
    at_once.compile(steps_per_execution=2)
    alone = [trained.predict_on_batch(inputs) for inputs in (long, short)]
    for model in (trained, at_once):
        outputs = model.predict(both, verbose=0)
        assert outputs["attention"].shape == (10, 6, D)
        assert outputs["attention"][5:, 3:].sum() == 0
        for name, values in outputs.items():
            assert isinstance(values, np.ndarray)
            np.testing.assert_allclose(values[:5], alone[0][name], atol=1e-6)
            shorter = values[5:, :3] if name not in WITHOUT_TIME else values[5:]
            np.testing.assert_allclose(shorter, alone[1][name], atol=1e-6)


def test_standardisation_is_learnt_from_valid_instants_only():
    inputs, labels = make_data()
    model = make_model()
    model.compile()
    model.fit(inputs, labels, epochs=1, verbose=0)
    mask = np.arange(5) < inputs["instants"][:, None]
    valid = inputs["observations"][mask]
    np.testing.assert_allclose(model.standardization.mean, valid.mean(axis=0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.standardization.scale, valid.std(axis=0), rtol=1e-4)


def test_fit_does_not_adapt_twice():
    model = make_model()
    model.compile()
    inputs, labels = make_data()
    model.adapt([(inputs, labels)])
    mean = model.standardization.mean.numpy()
    model.fit(inputs["observations"] + 100, labels, epochs=1, verbose=0)
    np.testing.assert_array_equal(model.standardization.mean, mean)


@pytest.mark.parametrize("attention", [True, False])
def test_same_seed_same_weights(attention: bool):
    def weights(seed: int) -> list[np.ndarray]:
        model = make_model(seed, attention=attention)
        model.compile()
        model.fit(*make_data(), epochs=3, batch_size=8, shuffle=False, verbose=0)
        return [w for w in model.get_weights() if w.dtype == np.float32]

    first, again, other = weights(4), weights(4), weights(5)
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, two)
    assert any(not np.array_equal(one, two) for one, two in zip(first, other, strict=True))


@pytest.mark.io_stack
def test_keras_file_round_trip(trained: VRNN, tmp_path: Path):
    inputs, labels = make_data()
    trained.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.classes == CLASSES
    assert again.preset == trained.preset
    assert again.adapted
    expected, actual = trained.predict(inputs, verbose=0), again.predict(inputs, verbose=0)
    for name in expected:
        np.testing.assert_allclose(actual[name], expected[name], atol=1e-6)
    assert again.optimizer.get_config() == trained.optimizer.get_config()
    again.fit(inputs, labels, epochs=1, verbose=0)


def test_resumed_optimizer_goes_on_as_before(trained: VRNN, tmp_path: Path):
    trained.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    for one, two in zip(again.optimizer.variables, trained.optimizer.variables, strict=True):
        np.testing.assert_array_equal(one, two)


def test_jit_compiled_steps_give_the_same_losses(trained: VRNN):
    inputs, labels = make_data()
    plain = trained.evaluate(inputs, labels, batch_size=8, verbose=0, return_dict=True)
    model = make_model()
    model.set_weights(trained.get_weights())
    model.compile(jit_compile=True)
    compiled = model.evaluate(inputs, labels, batch_size=8, verbose=0, return_dict=True)
    assert compiled == pytest.approx(plain, rel=1e-4)
    history = model.fit(inputs, labels, batch_size=8, epochs=1, verbose=0).history
    assert np.isfinite(history["loss"][0])


@pytest.mark.parametrize(
    ("option", "settings"), [("range_db", {"mixup": 0.0}), ("mixup", {"range_db": None})]
)
def test_what_xla_cannot_compile_is_named(option: str, settings: dict[str, Any]):
    model = VRNN.from_preset("tiny", CLASSES, load_weights=False, **settings)
    with pytest.raises(ConfigurationError, match=f"jit_compile=True.*{option}"):
        model.compile(jit_compile=True)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(policy: str):
    model = VRNN(CLASSES, PRESET, seed=0, dtype=policy)
    model.compile()
    history = model.fit(*make_data(), epochs=2, batch_size=8, verbose=0).history
    assert np.all(np.isfinite(history["loss"]))
    outputs = model.predict(make_data()[0], verbose=0)
    full = VRNN(CLASSES, PRESET, seed=0)
    full.set_weights(model.get_weights())
    expected = full.predict(make_data()[0], verbose=0)
    np.testing.assert_allclose(outputs["probabilities"], expected["probabilities"], atol=0.03)
    assert outputs["saliency"].dtype == np.float32


def test_metrics_are_means_over_utterances_whatever_the_batches(trained: VRNN):
    inputs, labels = make_data()
    whole = trained.evaluate(inputs, labels, batch_size=24, verbose=0, return_dict=True)
    parts = trained.evaluate(inputs, labels, batch_size=7, verbose=0, return_dict=True)
    for name, value in whole.items():
        assert parts[name] == pytest.approx(value, rel=1e-4), name


def test_metrics_equal_what_predict_shows(trained: VRNN):
    inputs, labels = make_data()
    metrics = trained.evaluate(inputs, labels, verbose=0, return_dict=True)
    outputs = trained.predict(inputs, verbose=0)
    right = outputs["probabilities"].argmax(axis=-1) == labels
    assert metrics["accuracy"] == pytest.approx(right.mean())
    shares = [
        share
        for row, length in zip(outputs["attention"], inputs["instants"], strict=True)
        for share in row[1:length].mean(axis=-1)
    ]
    assert metrics["sampled_fraction_after_first"] == pytest.approx(np.mean(shares), rel=1e-5)


def test_sample_weights_scale_the_loss_and_its_terms_alone(trained: VRNN):
    inputs, labels = make_data()
    weights = 2.0 * (labels == 1).astype(np.float32)
    plain = trained.evaluate(inputs, labels, verbose=0, return_dict=True)
    weighted = trained.evaluate(inputs, labels, sample_weight=weights, verbose=0, return_dict=True)
    chosen = {name: values[labels == 1] for name, values in inputs.items()}
    alone = trained.evaluate(chosen, labels[labels == 1], verbose=0, return_dict=True)
    for name in ("loss", "elbo", "generation_nll", "kl", "class_cross_entropy"):
        assert weighted[name] == pytest.approx(alone[name] * weights.mean(), rel=1e-4), name
    for name in ("accuracy", "sampled_fraction", "sampled_fraction_after_first"):
        assert weighted[name] == pytest.approx(plain[name], rel=1e-6), name


def test_class_term_at_every_instant_changes_the_objective(trained: VRNN):
    inputs, labels = make_data()
    every = VRNN(CLASSES, PRESET.with_settings({"class_term": "every"}), seed=0)
    every.set_weights(trained.get_weights())
    every.compile()
    timeline = trained.predict(inputs, verbose=0)["timeline"]
    valid = np.arange(5) < inputs["instants"][:, None]
    probability = np.take_along_axis(timeline, labels[:, None, None], axis=-1)[..., 0]
    expected = -np.sum(np.log(np.where(valid, probability, 1.0)), axis=1).mean()
    metrics = every.evaluate(inputs, labels, verbose=0, return_dict=True)
    assert metrics["class_cross_entropy"] == pytest.approx(expected, rel=1e-4)


def test_patches_are_observations_too():
    preset = Preset(
        features=FeatureSpec(kind="log-mel", statistics=(), window=0.2, hop=0.1, mel_bands=5),
        architecture=PRESET.architecture,
    )
    frames, bands = preset.features.observation_shape
    model = VRNN(CLASSES, preset, seed=0)
    model.compile()
    observations = np.random.default_rng(0).normal(size=(4, 3, frames, bands)).astype("float32")
    model.fit(observations, np.array([0, 1, 2, 0]), epochs=1, verbose=0)
    assert model.predict(observations, verbose=0)["attention"].shape == (4, 3, frames * bands)
    assert model.standardization.mean.shape == (bands,)


def test_monte_carlo_answers_spread_and_then_stop(trained: VRNN):
    inputs, _ = make_data(count=6)
    drawn = uncertainty.sample(trained, inputs, samples=8)
    assert drawn["standard_deviation"].max() > 0
    np.testing.assert_allclose(drawn["probabilities"].sum(axis=-1), 1, rtol=1e-5)
    assert np.all(drawn["mutual_information"] >= -1e-6)
    assert np.all(drawn["mutual_information"] <= drawn["entropy"] + 1e-6)
    one, two = trained(inputs)["probabilities"], trained(inputs)["probabilities"]
    np.testing.assert_array_equal(one, two)


def test_the_optimiser_is_the_papers_unless_another_is_given():
    model = make_model()
    model.compile()
    config = model.optimizer.get_config()
    assert isinstance(model.optimizer, keras.optimizers.RMSprop)
    assert config["learning_rate"] == pytest.approx(0.001)
    assert (config["rho"], config["epsilon"]) == (0.9, 1e-10)
    model.compile(keras.optimizers.SGD(0.1))
    assert isinstance(model.optimizer, keras.optimizers.SGD)


def test_refuses_what_makes_no_sense():
    with pytest.raises(ConfigurationError, match="two or more"):
        VRNN(["calm"], PRESET)
    with pytest.raises(ConfigurationError, match=r"compile\(loss=…\): .*Eq\. 5"):
        make_model().compile(loss="mse")
    with pytest.raises(ConfigurationError, match=r"preset: .* ravdess, .*, found 'nope'"):
        VRNN.from_preset("nope", CLASSES)
    with pytest.raises(ValueError, match="at least one"):
        make_model()(np.zeros((2, 0, D), np.float32))


def test_objective_weights_reach_the_loss():
    inputs, labels = make_data()
    model = VRNN(
        CLASSES,
        Preset(
            features=PRESET.features,
            architecture=PRESET.architecture,
            objective=Objective(generation_weight=2.0, kl_weight=3.0, classification_weight=5.0),
        ),
        seed=0,
    )
    model.compile()
    m = model.evaluate(inputs, labels, verbose=0, return_dict=True)
    expected = 2 * m["generation_nll"] + 3 * m["kl"] + 5 * m["class_cross_entropy"]
    assert m["loss"] == pytest.approx(expected, rel=1e-5)
    assert m["elbo"] == pytest.approx(
        -(m["generation_nll"] + m["kl"] + m["class_cross_entropy"]), rel=1e-5
    )
