"""One step of the variational RNN: a Keras RNN cell on TFP distributions (Algorithms 1, 2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from ser_keras.errors import ConfigurationError
from ser_keras.model import saliency
from ser_keras.model.convolution import PatchDecoder, PatchEncoder
from ser_keras.model.gaussian import affine, diagonal_gaussian, gaussian_parameters
from ser_keras.model.lstm import seeded_lstm

Tensor = Any


class Step(NamedTuple):
    """Everything one instant yields; D observation, Z latent, C classes.

    A Keras RNN carries one output tensor only, so a step travels as its fields laid end to end.
    """

    attention: Tensor  # W_t, [..., D]
    saliency: Tensor  # S_t, [..., D]
    prediction: Tensor  # x̂_t, [..., D]
    posterior_mean: Tensor  # μ_t, [..., Z]
    posterior_log_scale: Tensor  # log σ_t, [..., Z]
    next_mean: Tensor  # m_{t+1} = x̂_{t+1}, [..., D]
    next_log_scale: Tensor  # log s_{t+1}, [..., D]
    logits: Tensor  # [..., C]

    @staticmethod
    def sizes(observation_size: int, latent_size: int, classes: int) -> Step:
        """The last dimension of every field."""
        d, z = observation_size, latent_size
        return Step(d, d, d, z, z, d, d, classes)

    def concatenate(self) -> Tensor:
        """All fields as one tensor, [..., 5 D + 2 Z + C]."""
        return ops.concatenate(list(self), axis=-1)

    @classmethod
    def split(cls, tensor: Tensor, sizes: Step) -> Step:
        """The inverse of `concatenate`, given `Step.sizes`."""
        return cls(*tf.split(tensor, list(sizes), axis=-1))


@keras.saving.register_keras_serializable(package="ser_keras")
class VRNNCell(keras.layers.Layer):
    """One instant of recognition by generation.

    Selects what to sample of the observation (Eq. 2-4), infers the latent variable, predicts the
    next observation and classifies, each with an LSTM of its own (Algorithm 2). At the first
    instant there is no prediction yet and everything is sampled (Algorithm 1 line 3).

    Args:
        observation_size: D, elements of an observation.
        classes: C, number of emotions.
        recognition_units: hidden units of the recognition LSTM.
        generation_units: hidden units of the generation LSTM.
        classification_units: hidden units of the classification LSTM.
        latent_size: Z, elements of the latent variable.
        recognition_dropout: dropout on h_t where its affine layer reads it.
        generation_dropout: dropout on g_t where its affine layer reads it.
        classification_dropout: dropout on k_t where its affine layer reads it.
        attention: False samples everything at every instant (the ablation).
        patch: frames and bands of an observation that is a patch of a spectrogram, for the next
            three; frames × bands is D.
        recognition_channels: of the convolutions that the recognition LSTM reads x_t through; none
            reads x_t itself, as the paper's model does.
        generation_channels: of the transposed convolutions that make the likelihood; none makes it
            by an affine layer, as the paper's model does.
        embedding_units: values that the convolutions sum a patch up by.
        initial_log_scale: log σ_t of the posterior before training.
        seed: of initial weights, dropout and the latent samples.

    Call arguments:
        inputs: standardised observation X_t, float32 [B, D].
        states: as `get_initial_state` lays them out.
        training: True samples z_t and drops out; False takes the posterior's mean.

    Returns:
        `Step.concatenate()`, float32 [B, 5 D + 2 Z + C], and the new states.
    """

    def __init__(
        self,
        observation_size: int,
        classes: int,
        recognition_units: int = 512,
        generation_units: int = 256,
        classification_units: int = 512,
        latent_size: int = 20,
        recognition_dropout: float = 0.3,
        generation_dropout: float = 0.3,
        classification_dropout: float = 0.1,
        attention: bool = True,
        patch: Sequence[int] | None = None,
        recognition_channels: Sequence[int] = (),
        generation_channels: Sequence[int] = (),
        embedding_units: int = 96,
        initial_log_scale: float = 0.0,
        seed: int | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        # Observations, states and distributions keep full precision; what reads an observation and
        # the LSTMs follow a mixed-precision policy.
        super().__init__(dtype="float32", **kwargs)
        self.lstm_policy = keras.dtype_policies.get(dtype or keras.config.dtype_policy())
        self.observation_size = observation_size
        self.classes = classes
        self.recognition_units = recognition_units
        self.generation_units = generation_units
        self.classification_units = classification_units
        self.latent_size = latent_size
        self.recognition_dropout = recognition_dropout
        self.generation_dropout = generation_dropout
        self.classification_dropout = classification_dropout
        self.attention = attention
        self.patch = tuple(patch or ())
        if (recognition_channels or generation_channels) and not self.patch:
            raise ConfigurationError(
                "recognition_channels, generation_channels: found observations without frames, "
                "expected patches, features with statistics=()"
            )
        self.recognition_channels = tuple(recognition_channels)
        self.generation_channels = tuple(generation_channels)
        self.embedding_units = embedding_units
        self.initial_log_scale = initial_log_scale
        self.seed = seed
        self.sample_latent: bool | None = None  # None: sample while training only

        # Seeds of their own make initial weights and noise repeatable whatever else is drawn.
        seeds = np.random.SeedSequence(seed).generate_state(14).tolist()
        policy = self.lstm_policy
        self.recognition = seeded_lstm(
            recognition_units, seeds[0:2], dtype=policy, name="recognition"
        )
        self.generation = seeded_lstm(generation_units, seeds[2:4], dtype=policy, name="generation")
        self.classification = seeded_lstm(
            classification_units, seeds[4:6], dtype=policy, name="classification"
        )
        self.posterior = affine(2 * latent_size, seeds[6], name="posterior")
        self.likelihood = (
            PatchDecoder(
                self.patch, generation_channels, seeds[7], dtype="float32", name="likelihood"
            )
            if generation_channels
            else affine(2 * observation_size, seeds[7], name="likelihood")
        )
        self.class_logits = affine(classes, seeds[8], name="class_logits")
        self.drop_recognition = keras.layers.Dropout(recognition_dropout, seed=seeds[9])
        self.drop_generation = keras.layers.Dropout(generation_dropout, seed=seeds[10])
        self.drop_classification = keras.layers.Dropout(classification_dropout, seed=seeds[11])
        self.seed_generator = keras.random.SeedGenerator(seeds[12])
        self.encoder = (
            PatchEncoder(
                self.patch,
                recognition_channels,
                embedding_units,
                seeds[13],
                dtype=policy,
                name="encoder",
            )
            if recognition_channels
            else None
        )

        self.sizes = Step.sizes(observation_size, latent_size, classes)
        self.output_size = sum(self.sizes)
        self.state_size = [
            recognition_units,
            recognition_units,
            generation_units,
            generation_units,
            classification_units,
            classification_units,
            observation_size,
            1,
        ]

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights of the three LSTMs and of what lies before and after them."""
        batch = input_shape[0]
        if self.encoder is None:
            self.recognition.build((batch, self.observation_size))
        else:
            self.encoder.build((batch, self.observation_size))
            self.recognition.build((batch, self.embedding_units))
        self.posterior.build((batch, self.recognition_units))
        self.generation.build((batch, self.latent_size))
        self.likelihood.build((batch, self.generation_units))
        self.classification.build((batch, self.latent_size))
        self.class_logits.build((batch, self.classification_units))
        log_scales = np.full(self.latent_size, self.initial_log_scale, np.float32)
        self.posterior.bias.assign(
            np.concatenate([np.zeros(self.latent_size, np.float32), log_scales])
        )
        # Divides the logits when training is over; `calibration.calibrate` sets it.
        self.temperature = self.add_weight(
            name="temperature", shape=(), initializer="ones", trainable=False
        )
        self.built = True

    def get_initial_state(self, batch_size: int | Tensor | None = None) -> list[Tensor]:
        """Zeros, [B, size] each: h and c of the three LSTMs, x̂, and whether there is a past."""
        return [ops.zeros((batch_size, size), dtype="float32") for size in self.state_size]

    @contextmanager
    def laid_out(self) -> Iterator[None]:
        """Lay the LSTMs' weights out once for all steps of a scan; see `LSTMCell`."""
        with (
            self.recognition.laid_out(),
            self.generation.laid_out(),
            self.classification.laid_out(),
        ):
            yield

    def call(
        self, inputs: Tensor, states: list[Tensor], training: bool = False
    ) -> tuple[Tensor, list[Tensor]]:
        """One step; see the class."""
        *lstm_states, prediction, begun = states
        observation = ops.cast(inputs, "float32")

        saliency_map = saliency.saliency_map(observation, prediction)
        if self.attention:
            attention = ops.maximum(saliency.attention_weights(saliency_map), 1.0 - begun)
        else:
            attention = ops.ones_like(observation)
        sampled = saliency.sample_observation(observation, prediction, attention)

        heard = sampled if self.encoder is None else self.encoder(sampled)
        hidden, lstm_states[0:2] = self.recognition(heard, lstm_states[0:2])
        hidden = self.drop_recognition(hidden, training=training)
        posterior_mean, posterior_log_scale = gaussian_parameters(self.posterior(hidden))
        latent = self._latent(posterior_mean, posterior_log_scale, training)

        hidden, lstm_states[2:4] = self.generation(latent, lstm_states[2:4])
        hidden = self.drop_generation(hidden, training=training)
        next_mean, next_log_scale = gaussian_parameters(self.likelihood(hidden))

        hidden, lstm_states[4:6] = self.classification(latent, lstm_states[4:6])
        hidden = self.drop_classification(hidden, training=training)
        logits = self.class_logits(hidden)
        if not training:
            logits = logits / self.temperature

        step = Step(
            attention,
            saliency_map,
            prediction,
            posterior_mean,
            posterior_log_scale,
            next_mean,
            next_log_scale,
            logits,
        )
        new_states = [
            *[ops.cast(state, "float32") for state in lstm_states],
            next_mean,
            ops.ones_like(begun),
        ]
        return step.concatenate(), new_states

    @property
    def seed_generators(self) -> list[keras.random.SeedGenerator]:
        """All that a training step draws from: three dropouts and the latent sample."""
        drops = (self.drop_recognition, self.drop_generation, self.drop_classification)
        dropouts = [drop.seed_generator for drop in drops if drop.rate > 0]
        return [*dropouts, self.seed_generator]

    def _latent(self, mean: Tensor, log_scale: Tensor, training: bool) -> Tensor:
        """z_t: a reparameterised sample of the posterior, or its mean; [B, Z]."""
        posterior = diagonal_gaussian(mean, log_scale)
        if training if self.sample_latent is None else self.sample_latent:
            # A tensor seed makes TFP stateless, so that XLA draws the same numbers.
            return posterior.sample(seed=ops.cast(self.seed_generator.next(), "int32"))
        return posterior.mean()

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return super().get_config() | {
            "observation_size": self.observation_size,
            "classes": self.classes,
            "recognition_units": self.recognition_units,
            "generation_units": self.generation_units,
            "classification_units": self.classification_units,
            "latent_size": self.latent_size,
            "recognition_dropout": self.recognition_dropout,
            "generation_dropout": self.generation_dropout,
            "classification_dropout": self.classification_dropout,
            "attention": self.attention,
            "patch": self.patch,
            "recognition_channels": self.recognition_channels,
            "generation_channels": self.generation_channels,
            "embedding_units": self.embedding_units,
            "initial_log_scale": self.initial_log_scale,
            "seed": self.seed,
            "dtype": keras.dtype_policies.serialize(self.lstm_policy),
        }
