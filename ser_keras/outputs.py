"""What the model answers: the emotion, and all that led to it at every instant."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from ser_keras.cell import Step
from ser_keras.objective import last_instant

Tensor = Any


def describe(steps: Step, instants: Tensor) -> dict[str, Tensor]:
    """The outputs of `VRNN.call`.

    Args:
        steps: what the cell gave, fields [B, T, …].
        instants: valid instants of each utterance, int32 [B].

    Returns:
        As the class `VRNN` lists them; beyond an utterance's instants all is zero.
    """
    logits = last_instant(steps.logits, instants)
    valid = tf.sequence_mask(instants, tf.shape(steps.logits)[1], dtype=tf.float32)
    sequences = {
        "timeline": tf.nn.softmax(steps.logits),
        "attention": steps.attention,
        "saliency": steps.saliency,
        "prediction": steps.prediction,
        "latent_mean": steps.posterior_mean,
        "latent_scale": tf.exp(steps.posterior_log_scale),
    }
    return {
        "probabilities": tf.nn.softmax(logits),
        "logits": logits,
        **{name: value * valid[..., tf.newaxis] for name, value in sequences.items()},
        "sampled_fraction": tf.reduce_mean(steps.attention, axis=-1) * valid,
        "instants": instants,
    }
