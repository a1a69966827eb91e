"""The functions of an exported SavedModel; sizes as in `inference`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from ser_keras.export.graph.frontend import Observed, SoundFrontend
from ser_keras.export.graph.inference import Inference
from ser_keras.export.graph.sequences import blank, finite, usable
from ser_keras.model.vrnn import VRNN

STEP_OUTPUTS = ("probabilities", "attention", "prediction", "state")

_Tensors = dict[str, tf.Tensor]


def signatures(model: VRNN) -> dict[str, Any]:
    """Build the signatures, which TF Serving calls.

    serving_default: audio, string [B], WAV bytes, 16-bit PCM of any rate and channel count.
    waveform: waveform, float32 [B, N] at the model's rate, and samples, int32 [B], valid lengths.
    features: features, float32 [B, T, D], observations, a patch flattened; and instants, int32 [B],
        valid lengths.
    mfcc: as `features`, but its input is called mfcc; only where observations are MFCCs.

    Each of these answers emotion, string [B]; probabilities, float32 [B, C]; timeline, float32
    [B, T, C], zero after an instance has ended; sampled_fraction, float32 [B], the mean over
    instants; instants, int32 [B]; and, of sound, silent, bool [B]. What pads an instance has no
    influence.

    step: observation, float32 [B, D], and state, float32 [B, S], zeros to begin. It answers
        probabilities, attention and prediction, [B, D] both, and the new state.

    All answer error, too, string [B]: why sound or numbers cannot be used, "" where they can. The
    rest of such an answer is 0 and "", but for the state of a step, which stays as it was sent.
    Other instances of the batch are answered. Of the wrong shape, a batch is a
    `tf.errors.InvalidArgumentError`, when called.

    Example:
        >>> list(signatures(model))
        ['serving_default', 'waveform', 'features', 'step', 'mfcc']
    """
    frontend, inference = SoundFrontend(model.features), Inference(model)
    size = model.features.observation_size
    lengths = tf.TensorSpec([None], tf.int32)
    sequences = tf.TensorSpec([None, None, size], tf.float32)

    # A function of its own, so that the signatures share one copy of the model's graph.
    @tf.function(input_signature=[sequences, lengths], autograph=False)
    def recognize(observations: tf.Tensor, instants: tf.Tensor) -> _Tensors:
        outputs = inference.utterances(observations, instants)
        sampled = tf.reduce_sum(outputs["sampled_fraction"], axis=1)  # [B, T] to [B]
        return outputs | {"sampled_fraction": sampled / tf.cast(instants, tf.float32)}

    def answer(observations: tf.Tensor, instants: tf.Tensor) -> _Tensors:
        flat = tf.reshape(observations, [-1, tf.shape(observations)[1], size])
        return recognize(flat, instants)

    def answer_sound(observed: Observed) -> _Tensors:
        answers = answer(observed.observations, observed.instants)
        return blank(answers | {"silent": observed.silent}, observed.problem)

    def answer_observations(name: str, values: tf.Tensor, instants: tf.Tensor) -> _Tensors:
        # TF Serving does not hold a request against the shapes that signatures declare.
        values = tf.ensure_shape(values, sequences.shape)
        values, instants, problem = usable(name, values, "instants", instants)
        return blank(answer(values, instants), problem)

    def serving_default(audio: tf.Tensor) -> _Tensors:
        return answer_sound(frontend.from_files(tf.ensure_shape(audio, [None])))

    def waveform(waveform: tf.Tensor, samples: tf.Tensor) -> _Tensors:
        waveform = tf.ensure_shape(waveform, [None, None])
        return answer_sound(frontend.from_waveforms(waveform, samples))

    def features(features: tf.Tensor, instants: tf.Tensor) -> _Tensors:
        return answer_observations("features", features, instants)

    def mfcc(mfcc: tf.Tensor, instants: tf.Tensor) -> _Tensors:
        return answer_observations("mfcc", mfcc, instants)

    def step(observation: tf.Tensor, state: tf.Tensor) -> _Tensors:
        observation = tf.ensure_shape(observation, [None, size])
        sent = tf.ensure_shape(state, [None, inference.state_size])
        problem = tf.zeros(tf.shape(observation)[:1], tf.string)
        observation, problem = finite("observation", observation, problem)
        state, problem = finite("state", sent, problem)
        outputs = inference.step(observation, state)
        answers = blank({name: outputs[name] for name in STEP_OUTPUTS}, problem)
        unchanged = (problem != "")[:, tf.newaxis]
        return answers | {"state": tf.where(unchanged, sent, answers["state"])}

    functions = {
        "serving_default": _function(serving_default, tf.TensorSpec([None], tf.string)),
        "waveform": _function(waveform, tf.TensorSpec([None, None], tf.float32), lengths),
        "features": _function(features, sequences, lengths),
        "step": _function(step, tf.TensorSpec([None, size], tf.float32), _state(inference)),
    }
    if model.features.kind == "mfcc":
        functions["mfcc"] = _function(mfcc, sequences, lengths)
    return functions


def page_functions(model: VRNN) -> dict[str, Any]:
    """Build functions that also tell what was expected, for the local server's page.

    They are attributes of the SavedModel, which TF Serving does not see. Sound that cannot be used
    is a `tf.errors.InvalidArgumentError`.

    explain: audio, string [B], WAV files, to the outputs of `Inference.explanations` and silent.
    live: audio, string [B], WAV files of one window each, and state, float32 [B, S], zeros to
        begin, to the outputs of `Inference.explained_step`, emotion, sampled_fraction and
        silent [B].

    Example:
        >>> page_functions(model)["explain"].input_signature
        (TensorSpec(shape=(None,), dtype=tf.string, name='audio'),)
    """
    frontend, inference = SoundFrontend(model.features), Inference(model)
    size = model.features.observation_size

    def usable_sound(audio: tf.Tensor) -> Observed:
        observed = frontend.from_files(audio)
        no_problem = tf.reduce_all(observed.problem == "")
        with tf.control_dependencies([tf.debugging.Assert(no_problem, [observed.problem])]):
            return observed._replace(observations=tf.identity(observed.observations))

    def flat(observations: tf.Tensor) -> tf.Tensor:
        return tf.reshape(observations, [*tf.unstack(tf.shape(observations)[:2]), size])

    def explain(audio: tf.Tensor) -> _Tensors:
        observed = usable_sound(audio)
        outputs = inference.explanations(flat(observed.observations), observed.instants)
        return outputs | {"silent": observed.silent}

    def live(audio: tf.Tensor, state: tf.Tensor) -> _Tensors:
        observed = usable_sound(audio)  # one instant each
        outputs = inference.explained_step(flat(observed.observations)[:, 0], state)
        return outputs | {
            "emotion": inference.emotion(outputs["probabilities"]),
            "sampled_fraction": tf.reduce_mean(outputs["attention"], axis=-1),
            "silent": observed.silent,
        }

    files = tf.TensorSpec([None], tf.string, "audio")
    return {
        "explain": _function(explain, files),
        "live": _function(live, files, _state(inference)),
    }


def _function(function: Callable[..., _Tensors], *inputs: tf.TensorSpec) -> Any:
    return tf.function(function, input_signature=inputs, autograph=False)


def _state(inference: Inference) -> tf.TensorSpec:
    return tf.TensorSpec([None, inference.state_size], tf.float32, "state")
