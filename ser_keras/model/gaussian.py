"""Gaussians with a diagonal covariance.

TFP takes nearly a second to import and inference needs only means, so it is imported where a
distribution is made.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from keras import ops

Tensor = Any
Distribution = Any  # TFP has no types

# Beyond e^±8 a scale of standardized features tells nothing more, and soon overflows.
LOG_SCALE_LIMIT = 8.0


def diagonal_gaussian(mean: Tensor, log_scale: Tensor) -> Distribution:
    """Return N(mean, diag exp(log_scale)²) over the last axis, from parameters [..., K].

    Example:
        >>> zeros = np.zeros(5, np.float32)
        >>> round(float(diagonal_gaussian(zeros, zeros).log_prob(zeros)), 3)
        -4.595
    """
    from tensorflow_probability import distributions as tfd

    return tfd.Independent(tfd.Normal(mean, tf.exp(log_scale)), reinterpreted_batch_ndims=1)


def gaussian_parameters(outputs: Tensor) -> tuple[Tensor, Tensor]:
    """Split a layer's output [..., 2 K] into mean and bounded log scale, [..., K] each.

    Example:
        >>> mean, log_scale = gaussian_parameters(np.array([[3.0, 100.0]]))
        >>> mean.numpy().tolist(), log_scale.numpy().tolist()
        ([[3.0]], [[8.0]])
    """
    mean, log_scale = tf.split(outputs, 2, axis=-1)
    return mean, ops.clip(log_scale, -LOG_SCALE_LIMIT, LOG_SCALE_LIMIT)
