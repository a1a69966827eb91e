"""One step of the variational RNN: a Keras RNN cell on TFP distributions (Algorithms 1, 2)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from ser_keras.errors import ConfigurationError
from ser_keras.model import saliency
from ser_keras.model.carry import Carry
from ser_keras.model.convolution import PatchDecoder, PatchEncoder
from ser_keras.model.gaussian import diagonal_gaussian, gaussian_parameters
from ser_keras.model.lstm import LSTMCell
from ser_keras.model.replicas import Dropout, own_rows
from ser_keras.model.seeds import derive_seeds
from ser_keras.model.settings import Architecture

Tensor = Any


class Step(NamedTuple):
    """Everything one instant yields; D observation, Z latent, C classes.

    A Keras RNN carries one output tensor only, so a step travels as its fields laid end to end.

    Example:
        >>> Step.sizes(observation_size=40, latent_size=20, classes=8).posterior_mean
        20
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
        """Return the last dimension of every field."""
        d, z = observation_size, latent_size
        return Step(d, d, d, z, z, d, d, classes)

    def concatenate(self) -> Tensor:
        """Concatenate all fields to one tensor, [..., 5 D + 2 Z + C]."""
        return ops.concatenate(list(self), axis=-1)

    @classmethod
    def split(cls, tensor: Tensor, sizes: Step) -> Step:
        """Invert `concatenate`, given `Step.sizes`."""
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
        patch: frames and bands of an observation that is a patch of a spectrogram, frames × bands
            being D; the convolutions need it.
        overlap: frames that a patch shares with the one before it.
        seed: seed of the initial weights, dropout and the latent samples.
        dtype: policy of the LSTMs and the encoder. Observations, states and distributions stay in
            float32 under mixed precision.
        **settings: fields of `Architecture`; its defaults are the paper's for RAVDESS.

    Call arguments:
        inputs: standardized observation X_t, float32 [B, D].
        states: as `get_initial_state` lays them out.
        training: True samples z_t and drops out; False takes the posterior's mean.

    Returns:
        `Step.concatenate()`, float32 [B, 5 D + 2 Z + C], and the new states.

    Example:
        >>> cell = VRNNCell(observation_size=40, classes=8, latent_size=20)
        >>> output, states = cell(np.zeros((1, 40)), cell.get_initial_state(1))
        >>> Step.split(output, cell.sizes).logits.shape
        TensorShape([1, 8])
    """

    def __init__(
        self,
        observation_size: int,
        classes: int,
        patch: Sequence[int] | None = None,
        overlap: int = 0,
        seed: int | None = None,
        dtype: Any = None,
        name: str | None = None,
        trainable: bool = True,
        **settings: Any,
    ) -> None:
        super().__init__(dtype="float32", name=name, trainable=trainable)
        self.lstm_policy = policy = keras.dtype_policies.get(dtype or keras.config.dtype_policy())
        self.observation_size, self.classes, self.seed = observation_size, classes, seed
        self.patch, self.overlap = tuple(patch or ()), overlap
        self.architecture = options = Architecture(**settings)
        if (options.recognition_channels or options.generation_channels) and not self.patch:
            raise ConfigurationError(
                "recognition_channels, generation_channels: expected patches, features with "
                "statistics=(), found observations without frames"
            )
        self.sample_latent: bool | None = None  # None: sample while training only

        # Seeds of their own make initial weights and noise repeatable whatever else is drawn.
        seeds = derive_seeds(seed, 14)
        self.recognition = _lstm(options.recognition_units, seeds[0:2], policy, "recognition")
        self.generation = _lstm(options.generation_units, seeds[2:4], policy, "generation")
        self.classification = _lstm(
            options.classification_units, seeds[4:6], policy, "classification"
        )
        self.posterior = _affine(2 * options.latent_size, seeds[6], "posterior")
        if channels := options.generation_channels:
            self.likelihood = PatchDecoder(
                self.patch, channels, seeds[7], dtype="float32", name="likelihood"
            )
        else:
            self.likelihood = _affine(2 * observation_size, seeds[7], "likelihood")
        self.carry: Carry | None = None
        if options.carry_over:
            self.carry = Carry(self.patch, overlap, options.end_frames, name="carry")
        self.class_logits = _affine(classes, seeds[8], "class_logits")
        self.drop_recognition = Dropout(options.recognition_dropout, seed=seeds[9])
        self.drop_generation = Dropout(options.generation_dropout, seed=seeds[10])
        self.drop_classification = Dropout(options.classification_dropout, seed=seeds[11])
        self.seed_generator = keras.random.SeedGenerator(seeds[12])
        self.encoder: PatchEncoder | None = None
        if channels := options.recognition_channels:
            size = options.embedding_units
            self.encoder = PatchEncoder(
                self.patch, channels, size, seeds[13], dtype=policy, name="encoder"
            )

        self.sizes = Step.sizes(observation_size, options.latent_size, classes)
        self.output_size = sum(self.sizes)
        # h and c of the three LSTMs, x̂_t, and whether there was an instant before.
        lstms = (self.recognition, self.generation, self.classification)
        self.state_size = [size for lstm in lstms for size in lstm.state_size]
        self.state_size += [observation_size, 1]

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights of the three LSTMs and of the layers before and after them."""
        batch, options = input_shape[0], self.architecture
        embedding = self.observation_size if self.encoder is None else options.embedding_units
        if self.encoder is not None:
            self.encoder.build((batch, self.observation_size))
        self.recognition.build((batch, embedding))
        self.posterior.build((batch, options.recognition_units))
        self.generation.build((batch, options.latent_size))
        decoded = options.generation_units + (embedding if options.decoder_reads_sampled else 0)
        self.likelihood.build((batch, decoded))
        if self.carry is not None:
            self.carry.build((batch, self.observation_size))
        self.classification.build((batch, options.latent_size))
        self.class_logits.build((batch, options.classification_units))
        means, log_scales = np.zeros(options.latent_size), np.ones(options.latent_size)
        self.posterior.bias.assign(np.append(means, options.initial_log_scale * log_scales))
        # Divides the logits when training is over; `calibration.calibrate` sets it.
        self.temperature = self.add_weight(
            name="temperature", shape=(), initializer="ones", trainable=False
        )
        self.built = True

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, int]:
        """Return the shape of `Step.concatenate()`, without that of the states."""
        return (input_shape[0], self.output_size)

    def get_initial_state(self, batch_size: int | Tensor | None = None) -> list[Tensor]:
        """Return zeros, float32 [B, size] for every size in `state_size`."""
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
        """Compute one step; see the class."""
        recognition, generation, classification = states[0:2], states[2:4], states[4:6]
        prediction, begun = states[6:]  # x̂_t [B, D]; 0 at the first instant, then 1, [B, 1]
        observation = ops.cast(inputs, "float32")  # X_t, [B, D]

        # Action selection: S_t, W_t and x_t, [B, D] each.
        saliency_map, attention, sampled = self.select(observation, prediction, begun)

        # Recognition: the posterior q(z_t | x_1…t), [B, Z] each, and z_t from it.
        embedding = sampled if self.encoder is None else self.encoder(sampled)  # [B, D] or [B, E]
        hidden, recognition = self.recognition(embedding, recognition)  # h_t, [B, units]
        hidden = self.drop_recognition(hidden, training=training)
        posterior_mean, posterior_log_scale = gaussian_parameters(self.posterior(hidden))
        latent = self._latent(posterior_mean, posterior_log_scale, training)

        # Generation: the likelihood of X_{t+1}, [B, D] each; its mean is the next prediction.
        hidden, generation = self.generation(latent, generation)  # g_t, [B, units]
        hidden = self.drop_generation(hidden, training=training)
        if self.architecture.decoder_reads_sampled:
            # Under mixed precision the embedding is in half, the decoder in full precision.
            hidden = ops.concatenate([hidden, ops.cast(embedding, hidden.dtype)], axis=-1)
        next_mean, next_log_scale = gaussian_parameters(self.likelihood(hidden))
        if self.carry is not None:
            next_mean = next_mean + self.carry(sampled)

        # Classification, [B, C].
        hidden, classification = self.classification(latent, classification)  # k_t, [B, units]
        hidden = self.drop_classification(hidden, training=training)
        logits = self.class_logits(hidden)
        if not training:
            logits = logits / self.temperature

        step = Step(
            attention=attention,
            saliency=saliency_map,
            prediction=prediction,
            posterior_mean=posterior_mean,
            posterior_log_scale=posterior_log_scale,
            next_mean=next_mean,
            next_log_scale=next_log_scale,
            logits=logits,
        )
        # Under mixed precision the LSTMs compute in half; their states travel in full precision.
        lstm_states = [*recognition, *generation, *classification]
        lstm_states = [ops.cast(state, "float32") for state in lstm_states]
        return step.concatenate(), [*lstm_states, next_mean, ops.ones_like(begun)]

    def select(
        self, observation: Tensor, prediction: Tensor, begun: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Sample where the prediction failed, believe it elsewhere (Eq. 2-4).

        Args:
            observation: X_t, [B, D].
            prediction: x̂_t, [B, D].
            begun: 0 at the first instant, where there is nothing to believe, then 1, [B, 1].

        Returns:
            S_t, W_t and x_t, [B, D] each.
        """
        saliency_map = saliency.saliency_map(observation, prediction)
        if self.architecture.attention:
            attention = ops.maximum(saliency.attention_weights(saliency_map), 1.0 - begun)
        else:
            attention = ops.ones_like(observation)
        sampled = saliency.sample_observation(observation, prediction, attention)
        return saliency_map, attention, sampled

    def _latent(self, mean: Tensor, log_scale: Tensor, training: bool) -> Tensor:
        """Return z_t, [B, Z]: a reparameterized sample of the posterior, or its mean."""
        if not (training if self.sample_latent is None else self.sample_latent):
            return mean
        # A tensor seed makes TFP stateless, so that XLA draws the same numbers.
        seed = ops.cast(self.seed_generator.next(), "int32")

        def draw(count: Tensor) -> Tensor:
            zeros = tf.zeros([count, mean.shape[-1]])
            return diagonal_gaussian(zeros, zeros).sample(seed=seed)

        return mean + tf.exp(log_scale) * own_rows(draw, tf.shape(mean)[0])

    @property
    def seed_generators(self) -> list[keras.random.SeedGenerator]:
        """All that a training step draws from: three dropouts and the latent sample."""
        drops = (self.drop_recognition, self.drop_generation, self.drop_classification)
        dropouts = [drop.seed_generator for drop in drops if drop.rate > 0]
        return [*dropouts, self.seed_generator]

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return super().get_config() | {
            "observation_size": self.observation_size,
            "classes": self.classes,
            "patch": self.patch,
            "overlap": self.overlap,
            "seed": self.seed,
            "dtype": keras.dtype_policies.serialize(self.lstm_policy),
            **dataclasses.asdict(self.architecture),
        }


def _lstm(units: int, seeds: Sequence[int], policy: Any, name: str) -> LSTMCell:
    return LSTMCell(
        units,
        kernel_initializer=keras.initializers.GlorotUniform(seed=seeds[0]),
        recurrent_initializer=keras.initializers.Orthogonal(seed=seeds[1]),
        dtype=policy,
        name=name,
    )


def _affine(units: int, seed: int, name: str) -> keras.layers.Dense:
    """Create a layer that yields parameters of a distribution, in float32 whatever the policy."""
    initializer = keras.initializers.GlorotUniform(seed=seed)
    return keras.layers.Dense(units, kernel_initializer=initializer, dtype="float32", name=name)
