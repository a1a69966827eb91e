"""The PyTorch model that training is timed against computes what ours computes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from ser_keras import VRNN
from ser_keras.features.spec import FeatureSpec
from ser_keras.model import objective
from ser_keras.model.batch import last_instant
from ser_keras.model.settings import Architecture, Objective, Preset

torch = pytest.importorskip("torch", reason="needs PyTorch: make benchmarks-venv")

from benchmarks.speed.torch_vrnn import TorchVRNN, mean_loss  # noqa: E402

CLASSES = ("calm", "angry", "sad")
BATCH, LENGTH, SIZE = 5, 4, 6
SMALL = Architecture(
    recognition_units=7,
    generation_units=5,
    classification_units=4,
    latent_size=3,
    recognition_dropout=0.0,
    generation_dropout=0.0,
    classification_dropout=0.0,
)

Models = tuple[VRNN, Any]
Batch = tuple[np.ndarray, np.ndarray, np.ndarray]


LSTMS = ("recognition", "generation", "classification")
AFFINE = ("posterior", "likelihood", "class_logits")


def our_weights(model: VRNN) -> Iterator[Any]:
    """Kernel, recurrent kernel and bias of the LSTMs, kernel and bias of the affine layers."""
    for name in (*LSTMS, *AFFINE):
        yield from getattr(model.cell, name).trainable_variables


def their_weights(model: Any) -> Iterator[Any]:
    """The same in the same order, each transposed."""
    for name in LSTMS:
        yield from list(getattr(model, name).parameters())[:3]  # weight_ih, weight_hh, bias_ih
    for name in AFFINE:
        yield from getattr(model, name).parameters()


@pytest.fixture(params=[True, False], ids=["attention", "no attention"])
def models(request: pytest.FixtureRequest) -> Models:
    """Ours and PyTorch's with the same weights."""
    architecture = replace(SMALL, attention=request.param)
    features = FeatureSpec(coefficients=SIZE)
    ours = VRNN(CLASSES, Preset(features=features, architecture=architecture), seed=0)
    theirs = TorchVRNN(SIZE, len(CLASSES), architecture).eval()  # eval: z is the posterior's mean
    with torch.no_grad():
        for mine, parameter in zip(our_weights(ours), their_weights(theirs), strict=True):
            parameter.copy_(torch.from_numpy(mine.numpy().T.copy()))
        for lstm in (theirs.recognition, theirs.generation, theirs.classification):
            for name, parameter in lstm.named_parameters():
                if "bias_hh" in name:  # PyTorch's second, redundant bias
                    parameter.zero_()
    return ours, theirs


@pytest.fixture
def batch() -> Batch:
    generator = np.random.default_rng(1)
    observations = generator.normal(size=(BATCH, LENGTH, SIZE)).astype(np.float32)
    return observations, np.array([4, 1, 3, 2, 4]), np.array([0, 1, 2, 0, 1])


def our_loss(model: VRNN, batch: Batch) -> tuple[Any, Any]:
    observations, instants, labels = batch
    instants = tf.constant(instants, tf.int32)
    steps = model._steps(tf.constant(observations), training=False)
    terms = objective.terms(
        steps, tf.constant(observations), instants, tf.constant(labels, tf.int32), model.objective
    )
    return tf.reduce_mean(terms.loss(model.objective)), steps


def their_loss(model: Any, batch: Batch, weights: Objective) -> tuple[Any, Any]:
    observations, instants, labels = map(torch.from_numpy, batch)
    steps = model(observations, instants)
    return mean_loss(steps, observations, instants, labels, weights), steps


def test_steps_and_loss_agree(models: Models, batch: Batch):
    ours, theirs = models
    expected, expected_steps = our_loss(ours, batch)
    loss, steps = their_loss(theirs, batch, ours.objective)
    for name in ("posterior_mean", "posterior_log_scale", "next_mean", "next_log_scale"):
        found = getattr(steps, name).detach().numpy().transpose(1, 0, 2)
        np.testing.assert_allclose(found, getattr(expected_steps, name), atol=1e-5)
    last = last_instant(expected_steps.logits, tf.constant(batch[1], tf.int32))
    np.testing.assert_allclose(steps.logits.detach().numpy(), last, atol=1e-5)
    assert loss.item() == pytest.approx(float(expected), rel=1e-5)


def test_gradients_agree(models: Models, batch: Batch):
    ours, theirs = models
    weights = [weight.value for weight in our_weights(ours)]
    with tf.GradientTape() as tape:
        loss, _ = our_loss(ours, batch)
    expected = tape.gradient(loss, weights)
    their_loss(theirs, batch, ours.objective)[0].backward()
    for gradient, parameter in zip(expected, their_weights(theirs), strict=True):
        np.testing.assert_allclose(parameter.grad.numpy().T, gradient, rtol=1e-4, atol=1e-4)


def test_training_samples_the_latent_and_forgets_nothing_else(models: Models, batch: Batch):
    """In training mode with dropout off, only the noise of z differs from one pass to the next."""
    _, theirs = models
    observations, instants, _ = map(torch.from_numpy, batch)
    theirs.train()
    torch.manual_seed(0)
    first = theirs(observations, instants)
    again = theirs(observations, instants)
    # Nothing random comes before the first instant's posterior.
    torch.testing.assert_close(first.posterior_mean[0], again.posterior_mean[0])
    assert not torch.equal(first.next_mean[0], again.next_mean[0])


def test_sizes_are_the_papers():
    """2,558,080 parameters: PyTorch keeps two biases per LSTM where one does."""
    model = TorchVRNN(40, 8, Architecture())
    assert sum(parameter.numel() for parameter in model.parameters()) == 2_558_080
