"""What a model hears: observations of utterances of any lengths, alone or with how many count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import keras
import tensorflow as tf

from ser_keras.errors import ConfigurationError

Tensor = Any
NOT_ADAPTED = (
    "the standardisation has not been learnt: call model.adapt(batches of the training part) before"
)

Inputs = Any  # {"observations": [B, T, *shape], "instants": [B]}, or the observations alone


def dense(inputs: Inputs) -> tuple[Tensor, Tensor]:
    """Inputs in any form as padded observations, and how many of them are valid.

    Args:
        inputs: observations [B, T, *observation_shape], an array or a tensor, ragged or not; or a
            mapping that holds them as "observations" and may hold "instants", int [B]. Without
            these all are valid: of ragged ones, which XLA cannot make dense, all of each row.

    Returns:
        Observations [B, T, *observation_shape] and instants, int32 [B].

    Raises:
        ConfigurationError: there is no instant at all.
    """
    if not isinstance(inputs, Mapping):
        inputs = {"observations": inputs}
    observations, instants = inputs["observations"], inputs.get("instants")
    if isinstance(observations, tf.RaggedTensor):
        instants = observations.row_lengths() if instants is None else instants
        observations = observations.to_tensor()
    observations = tf.convert_to_tensor(observations)
    if observations.shape[1] == 0:
        raise ConfigurationError("observations: found no instant, expected at least one")
    if instants is None:
        batch, length = tf.unstack(tf.shape(observations)[:2])
        instants = tf.fill([batch], length)
    return observations, tf.cast(instants, tf.int32)


def batches_of(x: Any) -> Iterable[Any]:
    """What `fit` is given as batches that may be gone through now and once more to train.

    Args:
        x: inputs in memory, a `tf.data.Dataset` or a `keras.utils.PyDataset`.

    Raises:
        ConfigurationError: it may only be gone through once, or has no end.
    """
    if isinstance(x, tf.data.Dataset):
        return x
    if isinstance(x, keras.utils.PyDataset) and x.num_batches is not None:
        return (x[index] for index in range(x.num_batches))
    if isinstance(x, Mapping) or hasattr(x, "__array__") or tf.is_tensor(x):
        return [x]
    raise ConfigurationError(
        f"fit: found a {type(x).__name__} that is gone through once; {NOT_ADAPTED}"
    )
