"""The signatures of an exported SavedModel, as TensorFlow functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from ser_keras.export.graph.inference import Inference
from ser_keras.export.graph.sound import Hearing
from ser_keras.model.vrnn import VRNN

Outputs = dict[str, tf.Tensor]


def signatures(model: VRNN) -> dict[str, Callable[..., Outputs]]:
    """The four ways to call an exported model; B is any number of instances, C classes.

    serving_default: audio, string [B], WAV bytes, 16-bit PCM of any rate and channel count.
    waveform: waveform, float32 [B, N] at the model's rate, and samples, int32 [B], valid lengths.
    mfcc: mfcc, float32 [B, T, D] (log-mel where the model hears that; a patch is laid flat), and
        instants, int32 [B].

    Each of these answers emotion, string [B]; probabilities, float32 [B, C]; timeline, float32
    [B, T, C], zero after an instance has ended; sampled_fraction, float32 [B], the mean over
    instants; instants, int32 [B]. What pads an instance has no influence.

    step: observation, float32 [B, D], and state, float32 [B, S], zeros to begin. It answers
        probabilities, attention and prediction, [B, D] both, and the new state.

    Sound or numbers that cannot be used are a `tf.errors.InvalidArgumentError`, when called.
    """
    hearing = Hearing(model.features)
    inference = Inference(model)
    size = model.features.observation_size
    labels = tf.constant(model.classes)

    def answer(observations: tf.Tensor, instants: tf.Tensor) -> Outputs:
        length = tf.shape(observations)[1]
        flat = tf.reshape(observations, [-1, length, size])
        outputs = inference.utterances(flat, instants)
        return {
            "emotion": tf.gather(labels, tf.argmax(outputs["probabilities"], axis=-1)),
            "probabilities": outputs["probabilities"],
            "timeline": outputs["timeline"],
            "sampled_fraction": outputs["sampled_fraction"],
            "instants": instants,
        }

    @_function(audio=tf.TensorSpec([None], tf.string))
    def serving_default(audio: tf.Tensor) -> Outputs:
        return answer(*hearing.of_files(audio))

    @_function(
        waveform=tf.TensorSpec([None, None], tf.float32), samples=tf.TensorSpec([None], tf.int32)
    )
    def waveform(waveform: tf.Tensor, samples: tf.Tensor) -> Outputs:
        sound = _valid("waveform", waveform, "samples", samples)
        return answer(*hearing.of_waveforms(sound, samples))

    @_function(
        mfcc=tf.TensorSpec([None, None, size], tf.float32),
        instants=tf.TensorSpec([None], tf.int32),
    )
    def mfcc(mfcc: tf.Tensor, instants: tf.Tensor) -> Outputs:
        return answer(_valid("mfcc", mfcc, "instants", instants), instants)

    @_function(
        observation=tf.TensorSpec([None, size], tf.float32),
        state=tf.TensorSpec([None, inference.state.size], tf.float32),
    )
    def step(observation: tf.Tensor, state: tf.Tensor) -> Outputs:
        return inference.step(_finite("observation", observation), _finite("state", state))

    functions = (serving_default, waveform, mfcc, step)
    return {function.__name__: function for function in functions}


def _function(**inputs: tf.TensorSpec) -> Callable[[Callable[..., Outputs]], Any]:
    """A TensorFlow function of named inputs; autograph has nothing to do in them."""

    def decorate(function: Callable[..., Outputs]) -> Any:
        return tf.function(function, input_signature=list(inputs.values()), autograph=False)

    return decorate


def _valid(name: str, values: tf.Tensor, lengths_name: str, lengths: tf.Tensor) -> tf.Tensor:
    """The values [B, N, …] that count, which must be finite; zeros in place of the padding."""
    longest = tf.shape(values)[1]
    in_range = tf.reduce_all((lengths >= 1) & (lengths <= longest))
    message = f"{lengths_name}: expected 1 to the length of {name}, found length and {lengths_name}"
    check = tf.debugging.Assert(in_range, [message, longest, lengths])
    with tf.control_dependencies([check]):
        valid = tf.sequence_mask(lengths, longest)
    valid = tf.reshape(valid, tf.concat([tf.shape(valid), [1] * (len(values.shape) - 2)], 0))
    return _finite(name, tf.where(valid, values, 0.0))


def _finite(name: str, values: tf.Tensor) -> tf.Tensor:
    check = tf.debugging.Assert(
        tf.reduce_all(tf.math.is_finite(values)), [f"{name}: holds NaN or infinity"]
    )
    with tf.control_dependencies([check]):
        return tf.identity(values)
