"""Action selection (Eq. 2-4): sample where the prediction failed, believe it elsewhere.

Tensors are of shape [..., D], D being the elements of an observation.
"""

from __future__ import annotations

from typing import Any

from keras import ops

Tensor = Any


def saliency_map(observation: Tensor, prediction: Tensor) -> Tensor:
    """Return S_t = |X_t − x̂_t|, the prediction error of each element (Eq. 2).

    Example:
        >>> saliency_map(np.array([3.0, 1.0]), np.array([1.0, 1.0])).numpy()
        array([2., 0.])
    """
    return ops.absolute(observation - prediction)


def attention_weights(saliency: Tensor) -> Tensor:
    """Return W_t = 1[S_t ≥ mean over D of S_t], zeros and ones of the saliency's type (Eq. 3).

    Example:
        >>> attention_weights(np.array([2.0, 0.0])).numpy()
        array([1., 0.])
    """
    mean = ops.mean(saliency, axis=-1, keepdims=True)  # [..., 1]
    # Rounding can lift the mean of equal values above all of them; Eq. 3 samples them all.
    threshold = ops.minimum(mean, ops.max(saliency, axis=-1, keepdims=True))
    return ops.cast(saliency >= threshold, saliency.dtype)


def sample_observation(observation: Tensor, prediction: Tensor, attention: Tensor) -> Tensor:
    """Return x_t = W_t ⊙ X_t + (1 − W_t) ⊙ x̂_t: the truth where attended to (Eq. 4).

    Example:
        >>> attention = np.array([1.0, 0.0])
        >>> sample_observation(np.array([3.0, 1.0]), np.array([5.0, 5.0]), attention)
        array([3., 5.])
    """
    return attention * observation + (1.0 - attention) * prediction
