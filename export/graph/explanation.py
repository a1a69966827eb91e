"""What an exported model can show of its attention, beyond what its signatures answer.

TF Serving does not see these functions: they are attributes of the SavedModel, which the local
server's page calls.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from ser_keras.export.graph.inference import FlatState
from ser_keras.export.graph.sound import Hearing
from ser_keras.model.vrnn import VRNN


class Explanation(tf.Module):
    """Recordings and live sound, answered with saliency and attention at every instant.

    Args:
        model: a trained model.
    """

    def __init__(self, model: VRNN) -> None:
        super().__init__()
        spec = model.features
        hearing, state_of = Hearing(spec), FlatState(model)
        labels = tf.constant(model.classes)

        def explain(audio: tf.Tensor) -> dict[str, tf.Tensor]:
            observations, instants = hearing.of_files(audio)
            outputs = model({"observations": observations, "instants": instants}, training=False)
            return {
                "emotion": tf.gather(labels, tf.argmax(outputs["probabilities"], axis=-1)),
                "instants": instants,
                **{
                    name: outputs[name]
                    for name in (
                        "probabilities", "timeline", "sampled_fraction", "saliency", "attention",
                    )
                },
            }  # fmt: skip

        def live(audio: tf.Tensor, state: tf.Tensor) -> dict[str, tf.Tensor]:
            observations, _ = hearing.of_files(audio)
            step, parts = model.step(observations[:, 0], state_of.unpack(state))
            probabilities = tf.nn.softmax(step.logits)
            return {
                "emotion": tf.gather(labels, tf.argmax(probabilities, axis=-1)),
                "probabilities": probabilities,
                "saliency": step.saliency,
                "attention": step.attention,
                "sampled_fraction": tf.reduce_mean(step.attention, axis=-1),
                "state": state_of.pack(parts),
            }

        files = tf.TensorSpec([None], tf.string, "audio")
        state = tf.TensorSpec([None, state_of.size], tf.float32, "state")
        # explain: audio, string [B], WAV files. It answers what `serving_default` does, and
        # saliency and attention, float32 [B, T, D], and sampled_fraction, float32 [B, T].
        self.explain: Any = tf.function(explain, input_signature=[files], autograph=False)
        # live: audio, string [B], WAV files of one window, and state, zeros to begin. It answers
        # for this one instant, [B, ...], with the state to give back with the next window.
        self.live: Any = tf.function(live, input_signature=[files, state], autograph=False)
