"""The model in an exported graph, without sampling and dropout, and its description in JSON.

Sizes: B instances, T instants, D elements of an observation, C classes, S elements of the state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

import ser_keras
from ser_keras.model.dynamic_range import QUIET_SPEECH_DB
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
        self._size = model.features.observation_size
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
            beyond the last instant, timeline [B, T, C] and sampled_fraction [B, T].
        """
        return self._answer(self._run(observations, instants), instants)

    def explanations(self, observations: tf.Tensor, instants: tf.Tensor) -> dict[str, tf.Tensor]:
        """Recognise whole utterances, and tell what was expected of them.

        Args:
            observations: as for `utterances`.
            instants: as for `utterances`.

        Returns:
            Beside the outputs of `utterances`, [B, T, D] each: came, what was read, and expected,
            the prediction that was made before, both in decibels of full scale where
            `FeatureSpec.in_decibels`, else in standard deviations from the mean; saliency and
            attention. At the first instant nothing was predicted. And loudest [B, T], the loudest
            point so far, where levels are relative to it, else 0.
        """
        outputs = self._run(observations, instants)
        shaped = tf.reshape(observations, [-1, tf.shape(observations)[1], *self._shape])
        loudest = tf.zeros(tf.shape(shaped)[:2])  # [B, T]
        if self._model.dynamic_range is not None:
            loudest = self._model.dynamic_range.loudest(shaped)
            shaped = self._model.dynamic_range(shaped)
        standardized = tf.reshape(self._model.standardization(shaped), tf.shape(observations))
        return {
            **self._answer(outputs, instants),
            "came": self._in_unit(standardized, loudest),
            "expected": self._in_unit(outputs["prediction"], loudest),
            "loudest": loudest,
            "saliency": outputs["saliency"],
            "attention": outputs["attention"],
        }

    def _run(self, observations: tf.Tensor, instants: tf.Tensor) -> dict[str, tf.Tensor]:
        shaped = tf.reshape(observations, [-1, tf.shape(observations)[1], *self._shape])
        outputs: dict[str, tf.Tensor] = self._model(
            {"observations": shaped, "instants": instants}, training=False
        )
        return outputs

    def _answer(self, outputs: dict[str, tf.Tensor], instants: tf.Tensor) -> dict[str, tf.Tensor]:
        names = ("probabilities", "timeline", "sampled_fraction")
        return {
            "emotion": self.emotion(outputs["probabilities"]),
            "instants": instants,
            **{name: outputs[name] for name in names},
        }

    def _in_unit(self, standardized: tf.Tensor, loudest: tf.Tensor) -> tf.Tensor:
        """Convert [..., D] to the unit of `explanations`, given the loudest point so far, [...]."""
        spec = self._model.features
        if not spec.in_decibels:
            return standardized
        rows = tf.reshape(standardized, tf.concat([tf.shape(loudest), [-1, spec.bands]], 0))
        decibels = self._model.standardization.undo(rows) + loudest[..., tf.newaxis, tf.newaxis]
        return tf.reshape(decibels, tf.shape(standardized))

    def step(self, observation: tf.Tensor, state: tf.Tensor) -> dict[str, tf.Tensor]:
        """Take one more instant.

        Args:
            observation: float32 [B, D] or [B, *observation_shape].
            state: float32 [B, S], as the last step returned it; zeros to begin.

        Returns:
            probabilities [B, C]; attention W_t and saliency S_t [B, D]; prediction x̂_t [B, D],
            standardised, made from the instants before; state [B, S].
        """
        return self._take_step(observation, state)[0]

    def explained_step(self, observation: tf.Tensor, state: tf.Tensor) -> dict[str, tf.Tensor]:
        """Take one more instant, and tell what was expected of it.

        Args:
            observation: as for `step`.
            state: as for `step`.

        Returns:
            Beside the outputs of `step`, came, expected and loudest, [B, D] and [B], as in
            `explanations`.
        """
        outputs, states = self._take_step(observation, state)
        loudest = tf.zeros(tf.shape(observation)[:1])
        shaped = tf.reshape(observation, [-1, *self._shape])
        if (dynamic_range := self._model.dynamic_range) is not None:
            loudest = states[0][:, 0] + QUIET_SPEECH_DB
            shaped, _ = dynamic_range.step(shaped, states[0])
        standardized = tf.reshape(self._model.standardization(shaped), [-1, self._size])
        return {
            **outputs,
            "came": self._in_unit(standardized, loudest),
            "expected": self._in_unit(outputs["prediction"], loudest),
            "loudest": loudest,
        }

    def _take_step(
        self, observation: tf.Tensor, state: tf.Tensor
    ) -> tuple[dict[str, tf.Tensor], list[tf.Tensor]]:
        shaped = tf.reshape(observation, [-1, *self._shape])
        states = tf.split(state, self._state_sizes, axis=1)
        step, states = self._model.step(shaped, states, self._standardize)
        outputs = {
            "probabilities": tf.nn.softmax(step.logits),
            "attention": step.attention,
            "saliency": step.saliency,
            "prediction": step.prediction,
            "state": tf.concat(states, axis=1),
        }
        return outputs, states


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
        familiarity: the quantiles of `ser_keras.model.familiarity`, None where it is not known.
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
        "familiarity": model.familiarity and list(model.familiarity.quantiles),
        "preset": model.preset.to_dict(),
        "version": ser_keras.__version__,
    }
