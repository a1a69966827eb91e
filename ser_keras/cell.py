"""One step of the variational RNN: a Keras RNN cell on TFP distributions (Algorithms 1, 2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from ser_keras import saliency
from ser_keras.band_statistics import BandStatistics
from ser_keras.convolution import PatchDecoder, PatchEncoder
from ser_keras.errors import ConfigurationError
from ser_keras.gaussian import affine, gaussian_parameters
from ser_keras.listener import Heard, Listener
from ser_keras.lstm import seeded_lstm

Tensor = Any


class Step(NamedTuple):
    """Everything one instant yields; D observation, Z latent, C classes, L listeners.

    A Keras RNN carries one output tensor only, so a step travels as its fields laid end to end.
    """

    attention: Tensor  # W_t, [..., D]
    saliency: Tensor  # S_t, [..., D]
    prediction: Tensor  # x̂_t, [..., D]
    posterior_mean: Tensor  # μ_t of every listener, [..., L Z]
    posterior_log_scale: Tensor  # log σ_t, [..., L Z]
    next_mean: Tensor  # m_{t+1} = x̂_{t+1}, [..., D]
    next_log_scale: Tensor  # log s_{t+1}, [..., D]
    logits: Tensor  # mean over the listeners, [..., C]
    listener_logits: Tensor  # of every listener, [..., L C]

    @staticmethod
    def sizes(observation_size: int, latent_size: int, classes: int, listeners: int = 1) -> Step:
        """The last dimension of every field; latent_size is that of each of L listeners."""
        d, z, c = observation_size, listeners * latent_size, classes
        return Step(d, d, d, z, z, d, d, c, listeners * c)

    def concatenate(self) -> Tensor:
        """All fields as one tensor, [..., 5 D + 2 L Z + (1 + L) C]."""
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

    Of a patch a second listener may attend to the bands' statistics, where they are not as expected
    of the prediction, beside the first, which reads the patch through convolutions. Each has its
    own latent variables and is trained to be right alone; the prediction is made of both latent
    variables, and the emotion of the mean of their logits, a product of experts (Hinton 2002).
    Attention and saliency of a `Step` are the first's.

    Args:
        observation_size: D, elements of an observation.
        classes: C, number of emotions.
        recognition_units: hidden units of the recognition LSTM.
        generation_units: hidden units of the generation LSTM.
        classification_units: hidden units of the classification LSTM.
        latent_size: Z, elements of the latent variable of each listener.
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
        statistics_units: hidden units of both LSTMs of the second listener; 0 has none.
        initial_log_scale: log σ_t of the posterior before training.
        seed: of initial weights, dropout and the latent samples.

    Call arguments:
        inputs: standardised observation X_t, float32 [B, D].
        states: as `get_initial_state` lays them out.
        training: True samples z_t and drops out; False takes the posterior's mean.

    Returns:
        `Step.concatenate()`, float32 [B, 5 D + 2 L Z + (1 + L) C], and the new states.
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
        statistics_units: int = 0,
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
        if (recognition_channels or generation_channels or statistics_units) and not self.patch:
            raise ConfigurationError(
                "recognition_channels, generation_channels, statistics_units: found observations "
                "without frames, expected patches, features with statistics=()"
            )
        self.recognition_channels = tuple(recognition_channels)
        self.generation_channels = tuple(generation_channels)
        self.embedding_units = embedding_units
        self.statistics_units = statistics_units
        self.initial_log_scale = initial_log_scale
        self.seed = seed
        self.sample_latent: bool | None = None  # None: sample while training only

        # Seeds of their own make initial weights and noise repeatable whatever else is drawn.
        seeds = np.random.SeedSequence(seed).generate_state(23).tolist()
        policy = self.lstm_policy

        def listen(units: tuple[int, int], seeds: list[int], name: str) -> Listener:
            return Listener(
                classes,
                *units,
                latent_size,
                recognition_dropout,
                classification_dropout,
                initial_log_scale,
                seeds,
                dtype=policy,
                name=name,
            )

        # The order in which the paper's model has always drawn them.
        own = [seeds[place] for place in (0, 1, 4, 5, 6, 8, 9, 11, 12)]
        self.listeners = [listen((recognition_units, classification_units), own, "listener")]
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
        self.statistics = None
        if statistics_units:
            self.statistics = BandStatistics(self.patch, dtype="float32", name="statistics")
            self.listeners.append(listen((statistics_units,) * 2, seeds[14:], "second_listener"))
        self.generation = seeded_lstm(generation_units, seeds[2:4], dtype=policy, name="generation")
        self.drop_generation = keras.layers.Dropout(generation_dropout, seed=seeds[10])
        self.likelihood = (
            PatchDecoder(
                self.patch, generation_channels, seeds[7], dtype="float32", name="likelihood"
            )
            if generation_channels
            else affine(2 * observation_size, seeds[7], name="likelihood")
        )

        self.sizes = Step.sizes(observation_size, latent_size, classes, len(self.listeners))
        self.output_size = sum(self.sizes)
        self.state_size = [
            *(size for listener in self.listeners for size in listener.state_size),
            generation_units,
            generation_units,
            *([self.statistics.size] if self.statistics else []),
            observation_size,
            1,
        ]

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights of all LSTMs and of what lies before and after them."""
        batch = input_shape[0]
        heard = [self.observation_size]
        if self.encoder is not None:
            self.encoder.build((batch, self.observation_size))
            heard = [self.embedding_units]
        if self.statistics is not None:
            heard.append(self.statistics.size)
        for listener, size in zip(self.listeners, heard, strict=True):
            listener.build((batch, size))
        self.generation.build((batch, len(self.listeners) * self.latent_size))
        self.likelihood.build((batch, self.generation_units))
        # Divides the logits when training is over; `calibration.calibrate` sets it.
        self.temperature = self.add_weight(
            name="temperature", shape=(), initializer="ones", trainable=False
        )
        self.built = True

    def get_initial_state(self, batch_size: int | Tensor | None = None) -> list[Tensor]:
        """Zeros, [B, size] each.

        h and c of every listener's LSTMs and of the generation LSTM, the statistics expected where
        a listener attends to them, x̂, and whether there is a past.
        """
        return [ops.zeros((batch_size, size), dtype="float32") for size in self.state_size]

    @contextmanager
    def laid_out(self) -> Iterator[None]:
        """Lay the LSTMs' weights out once for all steps of a scan; see `LSTMCell`."""
        with ExitStack() as stack:
            for listener in self.listeners:
                stack.enter_context(listener.laid_out())
            stack.enter_context(self.generation.laid_out())
            yield

    def call(
        self, inputs: Tensor, states: list[Tensor], training: bool = False
    ) -> tuple[Tensor, list[Tensor]]:
        """One step; see the class."""
        *states, prediction, begun = states
        observation = ops.cast(inputs, "float32")
        attention, saliency_map, sampled = self._attend(observation, prediction, begun)
        to_hear = [sampled if self.encoder is None else self.encoder(sampled)]
        if self.statistics is not None:
            *states, expected = states
            to_hear.append(self._attend(self.statistics(observation), expected, begun)[-1])
        *listening, hidden, carry = states

        heard, listening = self._listen(to_hear, listening, training)
        latent = ops.concatenate([each.latent for each in heard], axis=-1)
        generated, (hidden, carry) = self.generation(latent, [hidden, carry])
        generated = self.drop_generation(generated, training=training)
        next_mean, next_log_scale = gaussian_parameters(self.likelihood(generated))

        logits = [each.logits if training else each.logits / self.temperature for each in heard]
        step = Step(
            attention,
            saliency_map,
            prediction,
            ops.concatenate([each.posterior_mean for each in heard], axis=-1),
            ops.concatenate([each.posterior_log_scale for each in heard], axis=-1),
            next_mean,
            next_log_scale,
            sum(logits[1:], logits[0]) / len(logits),
            ops.concatenate(logits, axis=-1),
        )
        new_states = [ops.cast(state, "float32") for state in (*listening, hidden, carry)]
        if self.statistics is not None:
            new_states.append(self.statistics.expected(next_mean, next_log_scale))
        return step.concatenate(), [*new_states, next_mean, ops.ones_like(begun)]

    def _attend(
        self, observation: Tensor, prediction: Tensor, begun: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """W_t, S_t and x_t of Eq. 2-4, [B, D] each."""
        saliency_map = saliency.saliency_map(observation, prediction)
        if self.attention:
            attention = ops.maximum(saliency.attention_weights(saliency_map), 1.0 - begun)
        else:
            attention = ops.ones_like(observation)
        sampled = saliency.sample_observation(observation, prediction, attention)
        return attention, saliency_map, sampled

    def _listen(
        self, to_hear: list[Tensor], states: list[Tensor], training: bool
    ) -> tuple[list[Heard], list[Tensor]]:
        """What every listener makes of its input, and their new states one after the other."""
        sample = training if self.sample_latent is None else self.sample_latent
        answers: list[Heard] = []
        new_states: list[Tensor] = []
        for listener, heard in zip(self.listeners, to_hear, strict=True):
            own = states[len(new_states) : len(new_states) + len(listener.state_size)]
            answer, own = listener(heard, own, training=training, sample=sample)
            answers.append(answer)
            new_states += own
        return answers, new_states

    @property
    def seed_generators(self) -> list[keras.random.SeedGenerator]:
        """All that a training step draws from: dropouts and latent samples."""
        drop = self.drop_generation
        own = [drop.seed_generator] if drop.rate > 0 else []
        return own + [each for listener in self.listeners for each in listener.seed_generators]

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
            "statistics_units": self.statistics_units,
            "initial_log_scale": self.initial_log_scale,
            "seed": self.seed,
            "dtype": keras.dtype_policies.serialize(self.lstm_policy),
        }
