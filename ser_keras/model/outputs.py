"""What the model answers: the emotion, and all that led to it at every instant."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from ser_keras.model.cell import Step
from ser_keras.model.objective import last_instant

Tensor = Any

WITHOUT_TIME = ("probabilities", "logits", "instants")


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


def ragged(outputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """What has a time axis as ragged tensors [B, T, …].

    Keras joins dense batches of different T through Python lists, seconds for a million numbers,
    and ragged ones at once.
    """
    return {
        name: value if name in WITHOUT_TIME else tf.RaggedTensor.from_tensor(value)
        for name, value in outputs.items()
    }


def padded(outputs: dict[str, Any]) -> dict[str, np.ndarray]:
    """The inverse of `ragged` as arrays, with zeros behind what is shorter than the longest."""
    return {
        name: value.to_tensor().numpy() if isinstance(value, tf.RaggedTensor) else value
        for name, value in outputs.items()
    }
