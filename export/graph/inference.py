"""The model in an exported graph, without sampling and dropout, and its description in JSON.

Sizes: B instances, T instants, D elements of an observation, C classes, S elements of the state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

import ser_keras
from ser_keras.model.vrnn import VRNN
from ser_keras.sound.level import SILENT_LEVEL


class Inference:
    """A trained model as exported graphs call it, its state as one tensor.

    Args:
        model: a trained model.
        standardize: replaces the model's own standardization in single steps, if given; takes
            observations [B, *observation_shape].

    Example:
        >>> Inference(model).state_size  # h and c of 3 LSTMs of 8 units, a prediction of 13, a flag
        62
    """

    def __init__(
        self, model: VRNN, standardize: Callable[[tf.Tensor], tf.Tensor] | None = None
    ) -> None:
        self._model = model
        self._standardize = standardize
        self._shape = model.features.observation_shape
        # Every part of the state is float32 [B, size].
        self._state_sizes = [part.shape[1] for part in model.get_initial_state(1)]
        self.state_size = sum(self._state_sizes)

    def emotion(self, probabilities: tf.Tensor) -> tf.Tensor:
        """Name the most likely class: [B, C] to string [B]."""
        return tf.gather(tf.constant(self._model.classes), tf.argmax(probabilities, axis=-1))

    def utterances(self, observations: tf.Tensor, instants: tf.Tensor) -> dict[str, tf.Tensor]:
        """Recognise whole utterances.

        Args:
            observations: float32 [B, T, D] or [B, T, *observation_shape], zero behind an utterance.
            instants: int32 [B], 1 to T.

        Returns:
            emotion, string [B]; probabilities [B, C] at the last instant; instants [B]; and, zero
            beyond the last instant, timeline [B, T, C], sampled_fraction [B, T], saliency and
            attention [B, T, D].
        """
        shaped = tf.reshape(observations, [-1, tf.shape(observations)[1], *self._shape])
        outputs = self._model({"observations": shaped, "instants": instants}, training=False)
        names = ("probabilities", "timeline", "sampled_fraction", "saliency", "attention")
        return {
            "emotion": self.emotion(outputs["probabilities"]),
            "instants": instants,
            **{name: outputs[name] for name in names},
        }

    def step(self, observation: tf.Tensor, state: tf.Tensor) -> dict[str, tf.Tensor]:
        """Take one more instant.

        Args:
            observation: float32 [B, D] or [B, *observation_shape].
            state: float32 [B, S], as the last step returned it; zeros to begin.

        Returns:
            probabilities [B, C]; attention W_t and saliency S_t [B, D]; prediction x̂_t [B, D],
            standardised, made from the instants before; state [B, S].
        """
        shaped = tf.reshape(observation, [-1, *self._shape])
        states = tf.split(state, self._state_sizes, axis=1)
        step, states = self._model.step(shaped, states, self._standardize)
        return {
            "probabilities": tf.nn.softmax(step.logits),
            "attention": step.attention,
            "saliency": step.saliency,
            "prediction": step.prediction,
            "state": tf.concat(states, axis=1),
        }


def describe(model: VRNN) -> dict[str, Any]:
    """Describe a model for the clients of its exports.

    Returns:
        labels: the emotions, in the order of the probabilities.
        sample_rate: in hertz; window, hop: in seconds; window_length, hop_length: in samples;
            trailing_length: samples of silence that follow a recording.
        observation_size: D; observation_labels: the names of its last axis; band_frequencies: of
            mel bands, in hertz, None for MFCCs.
        silent_level: in decibels; sound all of whose windows are below is silent, as defined in
            `ser_keras.sound.level`.
        state_size: S, of the flat state of a step.
        preset: everything the model was made from; version: of ser_keras.

    Example:
        >>> describe(model)["sample_rate"]
        8000
    """
    spec = model.features
    sound = ("sample_rate", "window", "hop", "window_length", "hop_length", "trailing_length")
    return {
        "labels": list(model.classes),
        **{name: getattr(spec, name) for name in sound},
        "observation_size": spec.observation_size,
        "observation_labels": spec.labels(),
        "band_frequencies": spec.band_frequencies,
        "silent_level": SILENT_LEVEL,
        "state_size": Inference(model).state_size,
        "preset": model.preset.to_dict(),
        "version": ser_keras.__version__,
    }
