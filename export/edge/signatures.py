"""The signatures of an exported TFLite file, as TensorFlow functions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from ser_keras.export.edge.exact import exact
from ser_keras.export.edge.frontend import EdgeFrontend
from ser_keras.export.graph.inference import Inference
from ser_keras.model.vrnn import VRNN

Outputs = dict[str, tf.Tensor]
Signature = tuple[Callable[..., Outputs], dict[str, tf.TensorSpec]]


def edge_signatures(model: VRNN) -> dict[str, Signature]:
    """What a TFLite file answers, and to what; everything is float32, C classes, D observation.

    step: waveform [1, window_length] and state [1, S], zeros to begin, to probabilities [1, C],
        attention and prediction [1, D] and the new state: the next window begins hop_length
        samples later, and so on forever.
    step_mfcc: the same from an observation [1, D], for who computes it elsewhere; only of models
        that hear MFCCs: nobody else has their patches, and small files are for small computers.
    utterance: waveform [1, N], to probabilities [1, C] at the last instant, timeline [1, T, C],
        attention [1, T, D] and sampled_fraction [1], the mean over instants. Silence follows if
        the model expects it, what is left and shorter than a window is ignored, sound shorter than
        a window is padded with silence.
    """
    spec = model.features
    frontend = EdgeFrontend(spec)
    inference = Inference(model, _exact_standardization(model))
    size = spec.observation_size

    def step(waveform: tf.Tensor, state: tf.Tensor) -> Outputs:
        return inference.step(tf.reshape(frontend.extract_windows(waveform), [1, size]), state)

    def step_mfcc(observation: tf.Tensor, state: tf.Tensor) -> Outputs:
        return inference.step(observation, state)

    def utterance(waveform: tf.Tensor) -> Outputs:
        missing = tf.maximum(spec.window_length - tf.shape(waveform)[1], spec.trailing_length)
        waveform = tf.pad(waveform, [[0, 0], [0, missing]])
        instants = 1 + (tf.shape(waveform)[1] - spec.window_length) // spec.hop_length

        def add(
            instant: tf.Tensor, state: tf.Tensor, *results: tf.TensorArray
        ) -> tuple[tf.Tensor, ...]:
            window = tf.slice(waveform, [0, instant * spec.hop_length], [1, spec.window_length])
            outputs = step(window, state)
            values = (outputs["probabilities"], outputs["attention"])
            written = (
                result.write(instant, value) for result, value in zip(results, values, strict=True)
            )
            return instant + 1, outputs["state"], *written

        # Known shapes: the converter has no list of tensors without.
        results = [
            tf.TensorArray(tf.float32, instants, element_shape=[1, width])
            for width in (len(model.classes), size)
        ]
        # Zeros, but not known at conversion: as a constant they would be kept in the file.
        zero = tf.cast(waveform[:, :1] > np.finfo(np.float32).max, tf.float32)
        begin = (0, tf.tile(zero, [1, inference.state.size]), *results)
        *_, timeline, attention = tf.while_loop(lambda instant, *_: instant < instants, add, begin)
        timeline = tf.transpose(timeline.stack(), [1, 0, 2])
        attention = tf.transpose(attention.stack(), [1, 0, 2])
        return {
            "probabilities": timeline[:, -1],
            "timeline": timeline,
            "attention": attention,
            "sampled_fraction": tf.reduce_mean(attention, axis=[1, 2]),
        }

    def inputs(**shapes: list[int | None]) -> dict[str, tf.TensorSpec]:
        return {name: tf.TensorSpec(shape, tf.float32, name=name) for name, shape in shapes.items()}

    state = [1, inference.state.size]
    signatures: dict[str, Signature] = {
        "step": (step, inputs(waveform=[1, spec.window_length], state=state)),
        "utterance": (utterance, inputs(waveform=[1, None])),
    }
    if spec.kind == "mfcc":
        signatures["step_mfcc"] = (step_mfcc, inputs(observation=[1, size], state=state))
    return signatures


def _exact_standardization(model: VRNN) -> Callable[[tf.Tensor], tf.Tensor]:
    """As the model's own: in 16 bits a mean of −400 is off by what an attention threshold sees."""
    mean, scale = (
        np.asarray(part) for part in (model.standardization.mean, model.standardization.scale)
    )

    def standardize(observations: tf.Tensor) -> tf.Tensor:
        heard = tf.reshape(observations, [1, -1])
        return (observations - exact(mean, heard)) / exact(scale, heard)

    return standardize
