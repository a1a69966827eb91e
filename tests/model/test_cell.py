"""One step of the VRNN against a step written out in NumPy, and Keras' conventions for cells."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from ser_keras.model.cell import Step, VRNNCell

D, Z, C, B = 7, 3, 4, 5
SIZES: dict[str, Any] = {
    "observation_size": D,
    "classes": C,
    "recognition_units": 6,
    "generation_units": 5,
    "classification_units": 8,
    "latent_size": Z,
}


def make_cell(**kwargs: Any) -> VRNNCell:
    cell = VRNNCell(**SIZES, seed=1, **kwargs)
    cell.build((None, D))
    # Zero biases, as initialised, would hide a bias that is not added.
    random = np.random.default_rng(2)
    for weight in cell.trainable_weights:
        if "bias" in weight.path:
            weight.assign(random.normal(size=weight.shape))
    return cell


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-x))


def numpy_lstm(
    layer: keras.layers.LSTMCell, x: np.ndarray, state: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Hochreiter & Schmidhuber 1997 with a forget gate; Keras orders the gates i, f, g, o."""
    kernel, recurrent, bias = (weight.numpy().astype(np.float64) for weight in layer.weights)
    h, c = state
    i, f, g, o = np.split(x @ kernel + h @ recurrent + bias, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    h = sigmoid(o) * np.tanh(c)
    return h, (h, c)


def numpy_affine(layer: keras.layers.Dense, x: np.ndarray) -> np.ndarray:
    kernel, bias = (weight.numpy().astype(np.float64) for weight in layer.weights)
    return x @ kernel + bias


def numpy_sequence(cell: VRNNCell, observations: np.ndarray) -> list[Step]:
    """Algorithms 1 and 2 with means instead of samples: [B, T, D] to a Step per instant."""
    zeros = [(np.zeros((B, u)), np.zeros((B, u))) for u in (6, 5, 8)]
    recognition, generation, classification = zeros
    prediction = np.zeros((B, D))
    steps = []
    for t in range(observations.shape[1]):
        observation = observations[:, t].astype(np.float64)
        error = np.abs(observation - prediction)
        weights = (error >= error.mean(axis=-1, keepdims=True)).astype(np.float64)
        if t == 0 or not cell.architecture.attention:
            weights = np.ones_like(weights)
        seen = weights * observation + (1 - weights) * prediction
        h, recognition = numpy_lstm(cell.recognition, seen, recognition)
        mu, log_sigma = np.split(numpy_affine(cell.posterior, h), 2, axis=-1)
        g, generation = numpy_lstm(cell.generation, mu, generation)
        if cell.architecture.decoder_reads_sampled:
            g = np.concatenate([g, seen], axis=-1)
        mean, log_scale = np.split(numpy_affine(cell.likelihood, g), 2, axis=-1)
        if cell.architecture.carry_over:
            mean = mean + seen
        k, classification = numpy_lstm(cell.classification, mu, classification)
        logits = numpy_affine(cell.class_logits, k)
        steps.append(Step(weights, error, prediction, mu, log_sigma, mean, log_scale, logits))
        prediction = mean
    return steps


@pytest.fixture
def observations() -> np.ndarray:
    return np.random.default_rng(3).normal(size=(B, 4, D)).astype(np.float32)


@pytest.mark.io_stack
@pytest.mark.parametrize(
    "options",
    [{}, {"attention": False}, {"carry_over": True}, {"decoder_reads_sampled": True}],
    ids=["paper", "no attention", "carry over", "decoder reads sampled"],
)
def test_steps_equal_numpy(observations: np.ndarray, options: dict[str, bool]):
    cell = make_cell(**options)
    expected = numpy_sequence(cell, observations)
    outputs = keras.layers.RNN(cell, return_sequences=True)(observations)
    steps = Step.split(outputs, cell.sizes)
    for name in Step._fields:
        actual = np.asarray(getattr(steps, name))
        wanted = np.stack([getattr(step, name) for step in expected], axis=1)
        np.testing.assert_allclose(actual, wanted, rtol=2e-5, atol=2e-5, err_msg=name)
    if cell.architecture.attention:
        later = np.asarray(steps.attention)[:, 1:]
        assert 0 < later.mean() < 1


def test_one_call_equals_one_step_of_the_scan(observations: np.ndarray):
    cell = make_cell()
    scanned = keras.layers.RNN(cell, return_sequences=True)(observations)
    states = cell.get_initial_state(B)
    for t in range(observations.shape[1]):
        output, states = cell(tf.constant(observations[:, t]), states)
        np.testing.assert_allclose(output, scanned[:, t], rtol=1e-5, atol=1e-6)


def test_without_attention_the_model_sees_everything(observations: np.ndarray):
    cell = make_cell(attention=False)
    steps = Step.split(keras.layers.RNN(cell, return_sequences=True)(observations), cell.sizes)
    assert np.all(np.asarray(steps.attention) == 1)


def test_attention_has_no_parameters():
    with_attention, without = make_cell(attention=True), make_cell(attention=False)
    assert [w.shape for w in with_attention.weights] == [w.shape for w in without.weights]


def test_gradient_flows_through_the_prediction_that_is_fed_back():
    """Eq. 4: where nothing is sampled, x_t is x̂_t, so that the loss of t reaches t − 1."""
    cell = make_cell()
    states = cell.get_initial_state(1)
    first = tf.zeros((1, D))
    one_large = tf.constant([[100.0] + [0.0] * (D - 1)])
    with tf.GradientTape() as tape:
        _, states = cell(first, states)
        prediction = states[6]
        tape.watch(prediction)
        output, _ = cell(one_large, states)
        target = tf.reduce_sum(Step.split(output, cell.sizes).posterior_mean)
    gradient = tape.gradient(target, prediction).numpy()[0]
    assert gradient[0] == 0  # sampled: the prediction is not read
    assert np.all(gradient[1:] != 0)  # not sampled: it is


def test_latent_is_sampled_from_the_posterior_while_training():
    cell = VRNNCell(
        **SIZES,
        recognition_dropout=0.0,
        generation_dropout=0.0,
        classification_dropout=0.0,
        seed=5,
    )
    many = tf.ones((20000, D))
    output, _ = cell(many, cell.get_initial_state(20000), training=True)
    step = Step.split(output, cell.sizes)
    mean, scale = step.posterior_mean[0].numpy(), np.exp(step.posterior_log_scale[0].numpy())
    # The generation LSTM is the only one that tells what z was: put it through an identity.
    samples = cell._latent(step.posterior_mean, step.posterior_log_scale, True).numpy()
    np.testing.assert_allclose(samples.mean(axis=0), mean, atol=0.05)
    np.testing.assert_allclose(samples.std(axis=0), scale, rtol=0.05)
    np.testing.assert_array_equal(
        cell._latent(step.posterior_mean, step.posterior_log_scale, False), step.posterior_mean
    )


def test_step_splits_what_it_concatenates():
    sizes = Step.sizes(D, Z, C)
    fields = Step(*[tf.random.normal((2, 3, size)) for size in sizes])
    again = Step.split(fields.concatenate(), sizes)
    for field, wanted in zip(again, fields, strict=True):
        np.testing.assert_array_equal(field, wanted)


def test_parameters_at_the_papers_sizes():
    """Summed by hand: an LSTM has 4 u (i + u + 1) parameters, an affine layer o (i + 1)."""

    def lstm(i: int, u: int) -> int:
        return 4 * u * (i + u + 1)

    expected = (lstm(40, 512) + 40 * 513) + (lstm(20, 256) + 80 * 257) + (lstm(20, 512) + 8 * 513)
    cell = VRNNCell(observation_size=40, classes=8)
    cell.build((None, 40))
    assert sum(int(np.prod(w.shape)) for w in cell.trainable_weights) == expected == 2_552_960
