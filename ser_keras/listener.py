"""What recognises: from what is heard to the latent variable, and from that to the emotion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from keras import ops

from ser_keras.lstm import LSTMCell

tfd = tfp.distributions
Tensor = Any
Distribution = Any  # TFP has no types

# Beyond e^±8 a scale of standardised features tells nothing more, and soon overflows.
LOG_SCALE_LIMIT = 8.0


def diagonal_gaussian(mean: Tensor, log_scale: Tensor) -> Distribution:
    """N(mean, diag exp(log_scale)²) over the last axis.

    Args:
        mean: [..., K].
        log_scale: logarithm of the standard deviation, [..., K].

    Returns:
        A distribution of event shape [K] and batch shape [...].
    """
    return tfd.Independent(tfd.Normal(mean, tf.exp(log_scale)), reinterpreted_batch_ndims=1)


def gaussian_parameters(affine: Tensor) -> tuple[Tensor, Tensor]:
    """Split an affine layer's output [..., 2 K] into mean and bounded log scale, [..., K] each."""
    mean, log_scale = tf.split(affine, 2, axis=-1)
    return mean, ops.clip(log_scale, -LOG_SCALE_LIMIT, LOG_SCALE_LIMIT)


class Heard(NamedTuple):
    """What a listener makes of one instant."""

    posterior_mean: Tensor  # μ_t, [B, Z]
    posterior_log_scale: Tensor  # log σ_t, [B, Z]
    latent: Tensor  # z_t, [B, Z]
    logits: Tensor  # [B, C]


@keras.saving.register_keras_serializable(package="ser_keras")
class Listener(keras.layers.Layer):
    """Infers the latent variable with one LSTM and classifies it with another (Algorithm 2).

    Args:
        classes: C, number of emotions.
        recognition_units, classification_units: hidden units of the two LSTMs.
        latent_size: Z, elements of the latent variable.
        recognition_dropout, classification_dropout: dropout where the affine layers read the hidden
            states h_t and k_t.
        initial_log_scale: log σ_t of the posterior before training.
        seeds: nine: of the kernels of both LSTMs, two each, of the affine layers of posterior and
            classes, of both dropouts, and of the latent samples.
        dtype: policy of the LSTMs; the distributions keep full precision.

    Call arguments:
        heard: what the recognition LSTM reads, [B, inputs].
        states: h and c of the recognition LSTM and of the classification LSTM.
        training: drops out.
        sample: draws z_t from the posterior; otherwise it is the posterior's mean.

    Returns:
        `Heard`, all float32, and the new states.
    """

    def __init__(
        self,
        classes: int,
        recognition_units: int,
        classification_units: int,
        latent_size: int,
        recognition_dropout: float,
        classification_dropout: float,
        initial_log_scale: float,
        seeds: Sequence[int],
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(dtype="float32", **kwargs)
        self.latent_size, self.initial_log_scale = latent_size, initial_log_scale
        self.recognition = lstm(recognition_units, seeds[0:2], dtype=dtype, name="recognition")
        self.classification = lstm(
            classification_units, seeds[2:4], dtype=dtype, name="classification"
        )
        self.posterior = affine(2 * latent_size, seeds[4], name="posterior")
        self.class_logits = affine(classes, seeds[5], name="class_logits")
        self.drop_recognition = keras.layers.Dropout(recognition_dropout, seed=seeds[6])
        self.drop_classification = keras.layers.Dropout(classification_dropout, seed=seeds[7])
        self.seed_generator = keras.random.SeedGenerator(seeds[8])
        self.state_size = [recognition_units] * 2 + [classification_units] * 2

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights."""
        batch = input_shape[0]
        self.recognition.build(input_shape)
        self.posterior.build((batch, self.recognition.units))
        self.classification.build((batch, self.latent_size))
        self.class_logits.build((batch, self.classification.units))
        log_scales = np.full(self.latent_size, self.initial_log_scale, np.float32)
        self.posterior.bias.assign(
            np.concatenate([np.zeros(self.latent_size, np.float32), log_scales])
        )
        self.built = True

    @contextmanager
    def laid_out(self) -> Iterator[None]:
        """Lay the LSTMs' weights out once for all steps of a scan; see `LSTMCell`."""
        with self.recognition.laid_out(), self.classification.laid_out():
            yield

    def call(
        self, heard: Tensor, states: list[Tensor], training: bool = False, sample: bool = False
    ) -> tuple[Heard, list[Tensor]]:
        """One instant; see the class."""
        hidden, recognition = self.recognition(heard, states[0:2])
        hidden = self.drop_recognition(hidden, training=training)
        mean, log_scale = gaussian_parameters(self.posterior(hidden))
        latent = self.draw(mean, log_scale) if sample else mean

        hidden, classification = self.classification(latent, states[2:4])
        hidden = self.drop_classification(hidden, training=training)
        logits = self.class_logits(hidden)
        return Heard(mean, log_scale, latent, logits), [*recognition, *classification]

    def draw(self, mean: Tensor, log_scale: Tensor) -> Tensor:
        """z_t: a reparameterised sample of the posterior, [B, Z]."""
        # A tensor seed makes TFP stateless, so that XLA draws the same numbers.
        seed = ops.cast(self.seed_generator.next(), "int32")
        return diagonal_gaussian(mean, log_scale).sample(seed=seed)

    @property
    def seed_generators(self) -> list[keras.random.SeedGenerator]:
        """All that a training step draws from: two dropouts and the latent sample."""
        drops = (self.drop_recognition, self.drop_classification)
        return [*(drop.seed_generator for drop in drops if drop.rate > 0), self.seed_generator]


def lstm(units: int, seeds: Sequence[int], **kwargs: Any) -> LSTMCell:
    """An LSTM cell whose kernels have initial values of their own, of two seeds."""
    return LSTMCell(
        units,
        kernel_initializer=keras.initializers.GlorotUniform(seed=seeds[0]),
        recurrent_initializer=keras.initializers.Orthogonal(seed=seeds[1]),
        **kwargs,
    )


def affine(units: int, seed: int, **kwargs: Any) -> keras.layers.Dense:
    """A layer that yields parameters of a distribution: float32 whatever the policy."""
    initializer = keras.initializers.GlorotUniform(seed=seed)
    return keras.layers.Dense(units, kernel_initializer=initializer, dtype="float32", **kwargs)
