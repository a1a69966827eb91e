"""What recognises: from what is heard to the latent variable, and from that to the emotion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from ser_keras.gaussian import affine, diagonal_gaussian, gaussian_parameters
from ser_keras.lstm import seeded_lstm

Tensor = Any


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
        self.recognition = seeded_lstm(
            recognition_units, seeds[0:2], dtype=dtype, name="recognition"
        )
        self.classification = seeded_lstm(
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
