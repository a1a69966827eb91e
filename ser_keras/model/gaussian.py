"""Gaussians with a diagonal covariance, and the layers whose outputs are their parameters."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp
from keras import ops

tfd = tfp.distributions
Tensor = Any
Distribution = Any  # TFP has no types

# Beyond e^±8 a scale of standardised features tells nothing more, and soon overflows.
LOG_SCALE_LIMIT = 8.0


def diagonal_gaussian(mean: Tensor, log_scale: Tensor) -> Distribution:
    """N(mean, diag exp(log_scale)²) over the last axis.

    Args:
        mean: [..., K].
        log_scale: logarithm of the standard deviation, [..., K].

    Returns:
        A distribution of event shape [K] and batch shape [...].
    """
    return tfd.Independent(tfd.Normal(mean, tf.exp(log_scale)), reinterpreted_batch_ndims=1)


def gaussian_parameters(affine: Tensor) -> tuple[Tensor, Tensor]:
    """Split an affine layer's output [..., 2 K] into mean and bounded log scale, [..., K] each."""
    mean, log_scale = tf.split(affine, 2, axis=-1)
    return mean, ops.clip(log_scale, -LOG_SCALE_LIMIT, LOG_SCALE_LIMIT)


def affine(units: int, seed: int, **kwargs: Any) -> keras.layers.Dense:
    """A layer that yields parameters of a distribution: float32 whatever the policy."""
    initializer = keras.initializers.GlorotUniform(seed=seed)
    return keras.layers.Dense(units, kernel_initializer=initializer, dtype="float32", **kwargs)
