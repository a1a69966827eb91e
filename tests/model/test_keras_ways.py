"""What users of Keras expect of any model, against stock Keras."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import f1_score

from ser_keras.errors import ConfigurationError
from ser_keras.features.spec import FeatureSpec
from ser_keras.model import presets
from ser_keras.model.seeds import derive_seeds
from ser_keras.model.settings import Architecture, Objective, Preset
from ser_keras.model.vrnn import VRNN

CLASSES = ("calm", "angry", "sad")
B, T, D = 12, 4, 6
SMALL = Architecture(recognition_units=4, generation_units=4, classification_units=4, latent_size=2)
PRESET = Preset(features=FeatureSpec(coefficients=D), architecture=SMALL)
RANDOM = np.random.default_rng(0)
OBSERVATIONS = RANDOM.normal(3.0, 2.0, (B, T, D)).astype(np.float32)
LABELS = np.arange(B, dtype=np.int32) % len(CLASSES)
BATCHES = tf.data.Dataset.from_tensor_slices((OBSERVATIONS, LABELS)).batch(4)
EXPECTED = r"observations: expected numbers \[B, T, 6\], found "


def make_model(preset: Preset = PRESET, seed: int | None = 0, **options: Any) -> VRNN:
    model = VRNN(CLASSES, preset, seed=seed)
    model.compile(**{"run_eagerly": True, **options})
    return model


def floats(model: VRNN) -> list[np.ndarray]:
    return [weight for weight in model.get_weights() if weight.dtype == np.float32]


# Seeds


@pytest.mark.parametrize("preset", [PRESET, presets.TINY], ids=["mfcc", "patches"])
def test_keras_own_seed_makes_initial_weights_repeatable(preset: Preset):
    def initial(seed: int) -> list[np.ndarray]:
        keras.utils.set_random_seed(seed)
        return floats(VRNN(CLASSES, preset))

    first, again, other = initial(7), initial(7), initial(8)
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, two)
    assert any(not np.array_equal(one, two) for one, two in zip(first, other, strict=True))


def test_keras_own_seed_makes_a_run_repeatable():
    def run() -> list[np.ndarray]:
        keras.utils.set_random_seed(7)
        model = make_model(seed=None)
        model.fit(OBSERVATIONS, LABELS, epochs=2, batch_size=4, verbose=0)
        return floats(model)

    for one, two in zip(run(), run(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_two_models_without_a_seed_differ_and_explicit_seeds_stay_as_they_were():
    keras.utils.set_random_seed(7)
    one, other = VRNN(CLASSES, PRESET), VRNN(CLASSES, PRESET)
    assert not np.array_equal(one.cell.posterior.kernel, other.cell.posterior.kernel)
    expected = np.random.SeedSequence(3).generate_state(14).tolist()
    assert derive_seeds(3, 14) == expected
    kernel = VRNN(CLASSES, PRESET, seed=3).cell.posterior.kernel
    initializer = keras.initializers.GlorotUniform(seed=expected[6])
    np.testing.assert_array_equal(kernel, initializer(kernel.shape))


# Data without end


def test_fit_learns_the_standardization_from_as_many_batches_as_an_epoch_has():
    model = make_model()
    history = model.fit(BATCHES.repeat(), steps_per_epoch=2, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    seen = OBSERVATIONS[:8].reshape(-1, D)
    np.testing.assert_allclose(model.standardization.mean, seen.mean(axis=0), rtol=1e-4)


def test_a_dataset_that_knows_its_length_is_learnt_from_whole():
    model = make_model()
    model.fit(BATCHES, steps_per_epoch=1, verbose=0)
    whole = OBSERVATIONS.reshape(-1, D)
    np.testing.assert_allclose(model.standardization.mean, whole.mean(axis=0), rtol=1e-4)


class Endless(keras.utils.PyDataset):
    """Batches without end."""

    @property
    def num_batches(self) -> None:
        return None

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rows = slice(4 * (index % 3), 4 * (index % 3) + 4)
        return OBSERVATIONS[rows], LABELS[rows]


def generator() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    while True:
        yield OBSERVATIONS, LABELS


@pytest.mark.parametrize(
    ("call", "option"),
    [
        (lambda model: model.fit(BATCHES.repeat(), verbose=0), "fit: expected steps_per_epoch"),
        (lambda model: model.fit(Endless(), verbose=0), "fit: expected steps_per_epoch"),
        (
            lambda model: model.fit(BATCHES, validation_data=BATCHES.repeat(), verbose=0),
            "validation_data=….: expected validation_steps",
        ),
        (lambda model: model.evaluate(BATCHES.repeat(), verbose=0), "evaluate: expected steps"),
        (lambda model: model.predict(BATCHES.repeat(), verbose=0), "predict: expected steps"),
        (lambda model: model.adapt(BATCHES.repeat()), "adapt: expected steps"),
    ],
)
def test_nobody_waits_for_the_end_of_data_without_end(call: Callable[[VRNN], Any], option: str):
    with pytest.raises(ConfigurationError, match=rf"{option}, .* without end, found none"):
        call(make_model())


@pytest.mark.filterwarnings("ignore:`shuffle=True` was passed")
def test_data_without_end_are_taken_in_steps():
    model = make_model()
    model.fit(Endless(), steps_per_epoch=2, verbose=0)
    for data in (BATCHES.repeat(), generator()):
        model.adapt(data, steps=3)
        whole = OBSERVATIONS.reshape(-1, D)
        np.testing.assert_allclose(model.standardization.mean, whole.mean(axis=0), rtol=1e-4)
    assert model.predict(BATCHES.repeat(), steps=2, verbose=0)["logits"].shape == (8, 3)
    model.adapt(OBSERVATIONS)
    np.testing.assert_allclose(model.standardization.mean, whole.mean(axis=0), rtol=1e-4)


# Weights of utterances and classes


class Control(keras.Model):
    """Stock Keras, on the logits of a VRNN."""

    def __init__(self, inner: VRNN) -> None:
        super().__init__()
        self.inner = inner

    def call(self, inputs: Any) -> Any:
        return self.inner(inputs, training=False)["logits"]


@pytest.mark.parametrize(
    "weights",
    [
        {},
        {"class_weight": {0: 1.0, 1: 3.0, 2: 0.25}},
        {"sample_weight": np.linspace(0.0, 2.0, B).astype(np.float32)},
    ],
    ids=["none", "class", "sample"],
)
def test_weights_move_the_model_as_they_move_stock_keras(weights: dict[str, Any]):
    classification_alone = Objective(0.0, 1.0, 0.0)
    parts = ("recognition", "generation", "classification")
    without_noise = {f"{part}_dropout": 0.0 for part in parts}
    preset = Preset(PRESET.name, PRESET.features, SMALL, classification_alone)
    preset = preset.with_settings(without_noise)
    ours, inner = (VRNN(CLASSES, preset, seed=0) for _ in range(2))
    ours.cell.sample_latent = False
    ours.compile(keras.optimizers.SGD(0.5), run_eagerly=True)
    stock = Control(inner)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    stock.compile(keras.optimizers.SGD(0.5), loss, metrics=["accuracy"], run_eagerly=True)
    for model in (ours, inner):
        model.adapt([OBSERVATIONS])
    options = {"batch_size": 5, "epochs": 2, "shuffle": False, "verbose": 0, **weights}
    found = ours.fit(OBSERVATIONS, LABELS, **options).history
    expected = stock.fit(OBSERVATIONS, LABELS, **options).history
    assert found["loss"] == pytest.approx(expected["loss"], rel=1e-5)
    assert found["accuracy"] == pytest.approx(expected["accuracy"])
    np.testing.assert_allclose(
        ours.cell.class_logits.kernel, inner.cell.class_logits.kernel, rtol=1e-4
    )


# Metrics and callbacks


def of_reversed(labels: Any, probabilities: Any) -> Any:
    """A metric of one's own: the share of labels that equal 2 − the answer."""
    return keras.ops.equal(labels, 2 - keras.ops.argmax(probabilities, axis=-1))


def test_metrics_compare_labels_and_probabilities_also_after_loading(tmp_path: Path):
    keras.saving.register_keras_serializable("test")(of_reversed)
    model = make_model(
        metrics=[
            keras.metrics.SparseCategoricalAccuracy(),
            keras.metrics.SparseTopKCategoricalAccuracy(2, name="top_2"),
            keras.metrics.F1Score(average="macro"),
            keras.metrics.AUC(name="area"),
            "categorical_crossentropy",
            of_reversed,
        ],
        weighted_metrics=[keras.metrics.CategoricalAccuracy(name="weighted")],
    )
    weights = np.linspace(0.0, 2.0, B).astype(np.float32)
    model.adapt(OBSERVATIONS)
    model.save(tmp_path / "model.keras")
    probabilities = model.predict(OBSERVATIONS, verbose=0)["probabilities"]
    answers = probabilities.argmax(axis=-1)
    expected = {
        "accuracy": np.mean(answers == LABELS),
        "sparse_categorical_accuracy": np.mean(answers == LABELS),
        "top_2": np.mean(probabilities.argmin(axis=-1) != LABELS),
        "f1_score": f1_score(LABELS, answers, average="macro"),
        "categorical_crossentropy": -np.log(probabilities[np.arange(B), LABELS]).mean(),
        "of_reversed": np.mean(2 - answers == LABELS),
        "weighted": np.average(answers == LABELS, weights=weights),
    }
    for one in (model, keras.saving.load_model(tmp_path / "model.keras")):
        found = one.evaluate(
            OBSERVATIONS, LABELS, sample_weight=weights, verbose=0, return_dict=True
        )
        for name, value in expected.items():
            assert found[name] == pytest.approx(value, rel=1e-4), name
        assert 0.0 < found["area"] < 1.0


def test_the_accuracy_is_there_once_however_it_is_asked_for():
    for metrics in (None, ["accuracy"], [keras.metrics.SparseCategoricalAccuracy("accuracy")]):
        found = make_model(metrics=metrics).evaluate(
            OBSERVATIONS, LABELS, verbose=0, return_dict=True
        )
        assert [name for name in found if "accuracy" in name] == ["accuracy"]


def test_what_is_no_metric_is_named():
    for metrics, message in (
        (["nonsense"], "expected names of Keras' metrics, found 'nonsense'"),
        ({"logits": ["accuracy"]}, "expected metrics of the output probabilities, found logits"),
        ([3], "expected metrics, found 3"),
    ):
        with pytest.raises(ConfigurationError, match=rf"compile\(metrics=…\): {message}"):
            make_model(metrics=metrics)


@pytest.mark.parametrize("monitor", ["val_accuracy", "val_area"])
def test_callbacks_know_that_more_accuracy_is_better(monitor: str, tmp_path: Path):
    model = make_model(metrics=[keras.metrics.AUC(name="area")])
    callbacks = [
        keras.callbacks.EarlyStopping(monitor, patience=5),
        keras.callbacks.ReduceLROnPlateau(monitor),
        keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", monitor, save_best_only=True),
    ]
    model.fit(
        OBSERVATIONS, LABELS, validation_data=BATCHES, epochs=2, callbacks=callbacks, verbose=0
    )
    assert callbacks[0].monitor_op(2.0, 1.0)
    assert not callbacks[0].monitor_op(1.0, 2.0)
    assert (tmp_path / "best.keras").exists()


# Files and summaries


def test_all_options_of_compile_survive_a_file(tmp_path: Path):
    options = {
        "run_eagerly": False,
        "steps_per_execution": 3,
        "auto_scale_loss": False,
        "jit_compile": False,
    }
    model = VRNN(CLASSES, PRESET, seed=0, dtype="mixed_float16")
    model.compile(keras.optimizers.SGD(0.1), **options)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(again.optimizer, keras.optimizers.SGD)  # not scaled
    assert again.steps_per_execution == 3
    assert again.get_compile_config() == model.get_compile_config()
    assert options.items() <= again.get_compile_config().items()


def test_a_model_that_was_not_compiled_is_loaded_so(tmp_path: Path):
    VRNN(CLASSES, PRESET, seed=0).save(tmp_path / "model.keras")
    assert not keras.saving.load_model(tmp_path / "model.keras").compiled


@pytest.mark.parametrize(
    ("name", "settings"),
    [("ravdess", {}), ("tiny", {}), ("tiny", {"tempo": 0.1, "point_noise": 0.1})],
)
def test_the_summary_counts_every_weight_once_and_shows_shapes(
    name: str, settings: dict[str, float], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COLUMNS", "160")  # no row is wrapped
    model = VRNN(CLASSES, presets.get(name).with_settings(settings), seed=0)
    lines: list[str] = []
    model.summary(print_fn=lines.append, line_length=120)
    rows = re.findall(r"│ (\w+) \(\w+\) +│ ([^│]+?) +│ +([\d,]+) │", "".join(lines))
    counts = [int(count.replace(",", "")) for _, _, count in rows]
    assert sum(counts) == sum(int(np.prod(weight.shape)) for weight in model.weights)
    shapes = {layer: shape for layer, shape, _ in rows}
    shape = ", ".join(map(str, model.observation_shape))
    assert shapes["standardization"] == f"(None, None, {shape})"
    assert shapes["cell"] == f"(None, {model.cell.output_size})"
    assert "?" not in "".join(shapes.values())


# Inputs that cannot be right


@pytest.fixture(scope="module")
def traced() -> VRNN:
    model = VRNN(CLASSES, PRESET, seed=0)
    model.compile()
    model.adapt(OBSERVATIONS)
    return model


NAN = np.where(np.arange(D) == 2, np.nan, OBSERVATIONS)
WRONG = {
    "2-D": (OBSERVATIONS[:, 0], EXPECTED + r"shape \[12, 6\]"),
    "too wide": (np.zeros((B, T, 13), np.float32), EXPECTED + r"shape \[12, 4, 13\]"),
    "axes swapped": (np.swapaxes(OBSERVATIONS, 1, 2), EXPECTED + r"shape \[12, 6, 4\]"),
    "4-D": (OBSERVATIONS[..., None], EXPECTED + r"shape \[12, 4, 6, 1\]"),
    "texts": (np.full((B, T, D), "a"), EXPECTED + "string"),
    "booleans": (OBSERVATIONS > 0, EXPECTED + "bool"),
    "a path": ("hello.wav", EXPECTED + "'hello.wav'; .* takes recordings"),
    "a list": ([OBSERVATIONS[0], OBSERVATIONS[1, :2]], EXPECTED + "a list; tf.ragged.stack"),
    "NaN": (NAN, "observations: expected finite numbers, found NaN"),
    "infinity": (np.where(OBSERVATIONS > 0, np.inf, 0.0), "found NaN or infinity"),
    "another name": ({"mfcc": OBSERVATIONS}, 'expected "observations" .*, found mfcc'),
    "no instant": (
        {"observations": OBSERVATIONS, "instants": np.zeros(B, int)},
        "instants: expected 1 to 4, found 0",
    ),
    "instants of others": (
        {"observations": OBSERVATIONS, "instants": np.ones(3, int)},
        "instants: expected 12 numbers, one for each utterance, found 3",
    ),
    "too many instants": (
        {"observations": OBSERVATIONS, "instants": np.full(B, 5)},
        "instants: expected 1 to 4, found 5",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("call", ["fit", "evaluate", "predict", "train_on_batch", "__call__"])
def test_inputs_in_memory_are_refused_in_one_line(traced: VRNN, wrong: str, call: str):
    inputs, message = WRONG[wrong]
    given = (inputs,) if call in ("predict", "__call__") else (inputs, LABELS)
    with pytest.raises(ConfigurationError, match=message) as error:
        getattr(traced, call)(*given)
    assert "\n" not in str(error.value)


def test_a_dataset_is_refused_by_what_it_says_of_itself(traced: VRNN):
    wide = tf.data.Dataset.from_tensor_slices((np.zeros((B, T, 13)), LABELS)).batch(4)
    for call in (traced.fit, traced.evaluate, traced.predict):
        with pytest.raises(ConfigurationError, match=EXPECTED + r"shape \[\?, 4, 13\]"):
            call(wide, verbose=0)


def without_shape(observations: np.ndarray) -> tf.data.Dataset:
    def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        yield observations, LABELS

    return tf.data.Dataset.from_generator(batches, output_types=(tf.float32, tf.int32))


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_a_generator_without_shapes_trains_or_is_refused_in_one_line():
    model = make_model(run_eagerly=False)
    history = model.fit(without_shape(OBSERVATIONS), verbose=0).history
    assert np.isfinite(history["loss"][0])
    wide = without_shape(np.zeros((B, T, 13), np.float32))
    with pytest.raises(ConfigurationError, match=EXPECTED + r"shape \[12, 4, 13\]"):
        make_model().fit(wide, verbose=0)  # learning the standardization
    expected = EXPECTED + "shape 12 4 13$"
    with pytest.raises(tf.errors.InvalidArgumentError, match=expected):
        model.fit(wide, verbose=0)  # within a graph
    nan = tf.data.Dataset.from_tensor_slices((NAN.astype(np.float32), LABELS)).batch(4)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"^observations: .* found NaN"):
        model.evaluate(nan, verbose=0)


def test_a_functional_model_may_be_built_on_it(traced: VRNN):
    symbol = keras.Input((None, D))
    model = keras.Model(symbol, keras.layers.Rescaling(2.0)(traced(symbol)["probabilities"]))
    expected = 2 * traced.predict(OBSERVATIONS, verbose=0)["probabilities"]
    np.testing.assert_allclose(model(OBSERVATIONS), expected, rtol=1e-5)


def test_nan_in_the_padding_is_nobodys_business(traced: VRNN):
    padded = OBSERVATIONS.copy()
    padded[:, 3] = np.nan
    inputs = {"observations": padded, "instants": np.full(B, 3)}
    assert np.isfinite(traced.predict(inputs, verbose=0)["probabilities"]).all()


@pytest.mark.parametrize(
    ("classes", "found"),
    [
        (4, "4"),
        ("angry", "'angry'"),
        (["calm"], r"\('calm',\)"),
        (["calm", "calm"], r"\('calm', 'calm'\)"),
        ([0, 1], r"\(0, 1\)"),
        (["calm", ""], r"\('calm', ''\)"),
        ({"calm", "angry"}, r"\{"),
        ({"calm": 0, "angry": 1}, r"\{"),
        (None, "None"),
    ],
)
def test_classes_are_names_in_an_order(classes: Any, found: str):
    with pytest.raises(
        ConfigurationError, match=rf"classes: expected two or more .* found {found}"
    ):
        VRNN(classes, PRESET)


def test_classes_may_come_from_numpy():
    assert VRNN(list(np.array(CLASSES)), PRESET).get_config()["classes"] == list(CLASSES)
