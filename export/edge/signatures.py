"""The signatures of an exported TFLite file, as TensorFlow functions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from ser_keras.export.edge.frontend import EdgeFrontend, exact
from ser_keras.export.graph.inference import Inference
from ser_keras.export.graph.signatures import STEP_OUTPUTS
from ser_keras.model.vrnn import VRNN

Signature = tuple[Callable[..., dict[str, tf.Tensor]], dict[str, tf.TensorSpec]]


def edge_signatures(model: VRNN) -> dict[str, Signature]:
    """Build the signatures by name, functions and their inputs; sizes as in `graph.inference`.

    step: waveform [1, window_length] and state [1, S], zeros to begin, to probabilities [1, C],
        attention and prediction [1, D] and the new state: the next window begins hop_length
        samples later, and so on forever. All is float32.
    step_mfcc: the same from an observation [1, D], for programs that compute it themselves; only
        where observations are MFCCs: no other program has a model's patches, and each signature
        makes the file larger.
    utterance: waveform [1, N], to probabilities [1, C] at the last instant, timeline [1, T, C],
        attention [1, T, D] and sampled_fraction [1], the mean over instants. Silence follows the
        waveform if the model expects it; a rest shorter than a window is ignored; a waveform
        shorter than a window is padded with silence.

    Example:
        >>> list(edge_signatures(model))
        ['step', 'utterance', 'step_mfcc']
    """
    spec = model.features
    frontend = EdgeFrontend(spec)
    inference = Inference(model, _exact_standardization(model))
    size = spec.observation_size

    def step_mfcc(observation: tf.Tensor, state: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = inference.step(observation, state)
        return {name: outputs[name] for name in STEP_OUTPUTS}

    def step(waveform: tf.Tensor, state: tf.Tensor) -> dict[str, tf.Tensor]:
        return step_mfcc(tf.reshape(frontend.extract_windows(waveform), [1, size]), state)

    def utterance(waveform: tf.Tensor) -> dict[str, tf.Tensor]:
        missing = tf.maximum(spec.window_length - tf.shape(waveform)[1], spec.trailing_length)
        waveform = tf.pad(waveform, [[0, 0], [0, missing]])
        instants = 1 + (tf.shape(waveform)[1] - spec.window_length) // spec.hop_length

        def add(
            instant: tf.Tensor,
            state: tf.Tensor,
            timeline: tf.TensorArray,
            attention: tf.TensorArray,
        ) -> tuple[tf.Tensor, ...]:
            window = tf.slice(waveform, [0, instant * spec.hop_length], [1, spec.window_length])
            outputs = step(window, state)
            timeline = timeline.write(instant, outputs["probabilities"])
            attention = attention.write(instant, outputs["attention"])
            return instant + 1, outputs["state"], timeline, attention

        # The converter supports tensor arrays whose elements have known shapes only.
        timeline, attention = (
            tf.TensorArray(tf.float32, instants, element_shape=[1, width])
            for width in (len(model.classes), size)
        )
        # Zeros that seem to depend on the input: as a constant they would be stored in the file.
        zero = tf.cast(waveform[:, :1] > np.finfo(np.float32).max, tf.float32)
        begin = (0, tf.tile(zero, [1, inference.state_size]), timeline, attention)
        *_, timeline, attention = tf.while_loop(lambda instant, *_: instant < instants, add, begin)
        timeline = tf.transpose(timeline.stack(), [1, 0, 2])  # [T, 1, C] to [1, T, C]
        attention = tf.transpose(attention.stack(), [1, 0, 2])
        return {
            "probabilities": timeline[:, -1],
            "timeline": timeline,
            "attention": attention,
            "sampled_fraction": tf.reduce_mean(attention, axis=[1, 2]),
        }

    def inputs(**shapes: list[int | None]) -> dict[str, tf.TensorSpec]:
        return {name: tf.TensorSpec(shape, tf.float32, name=name) for name, shape in shapes.items()}

    state = [1, inference.state_size]
    signatures: dict[str, Signature] = {
        "step": (step, inputs(waveform=[1, spec.window_length], state=state)),
        "utterance": (utterance, inputs(waveform=[1, None])),
    }
    if spec.kind == "mfcc":
        signatures["step_mfcc"] = (step_mfcc, inputs(observation=[1, size], state=state))
    return signatures


def _exact_standardization(model: VRNN) -> Callable[[tf.Tensor], tf.Tensor]:
    """The model's own; float16 rounding of a mean of −400 would move the attention threshold."""
    mean = np.asarray(model.standardization.mean)
    scale = np.asarray(model.standardization.scale)

    def standardize(observations: tf.Tensor) -> tf.Tensor:
        flat = tf.reshape(observations, [1, -1])
        return (observations - exact(mean, flat)) / exact(scale, flat)

    return standardize
