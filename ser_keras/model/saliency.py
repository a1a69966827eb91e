"""Action selection (Eq. 2-4): what surprised the model is sampled, the rest is believed."""

from __future__ import annotations

from typing import Any

from keras import ops

Tensor = Any


def saliency_map(observation: Tensor, prediction: Tensor) -> Tensor:
    """How far each element of the observation is from its prediction (Eq. 2).

    Args:
        observation: the true observation X_t, [..., D].
        prediction: the predicted observation x̂_t, [..., D].

    Returns:
        S_t = |X_t − x̂_t|, [..., D].
    """
    return ops.absolute(observation - prediction)


def attention_weights(saliency: Tensor) -> Tensor:
    """Binary attention: one where the saliency reaches its own mean (Eq. 3).

    Args:
        saliency: S_t, [..., D].

    Returns:
        W_t = 1[S_t ≥ mean over D of S_t], [..., D], zeros and ones of the saliency's type.
    """
    mean = ops.mean(saliency, axis=-1, keepdims=True)
    # Rounding can lift the mean of equal values above all of them; Eq. 3 samples them all.
    threshold = ops.minimum(mean, ops.max(saliency, axis=-1, keepdims=True))
    return ops.cast(saliency >= threshold, saliency.dtype)


def sample_observation(observation: Tensor, prediction: Tensor, attention: Tensor) -> Tensor:
    """What the model gets to see: the truth where it attends, its own prediction elsewhere (Eq. 4).

    Args:
        observation: X_t, [..., D].
        prediction: x̂_t, [..., D].
        attention: W_t, [..., D], zeros and ones.

    Returns:
        x_t = W_t ⊙ X_t + (1 − W_t) ⊙ x̂_t, [..., D].
    """
    return attention * observation + (1.0 - attention) * prediction
