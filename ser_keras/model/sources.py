"""Training data as Keras takes them: read once more to adapt, or refused if they never end."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ser_keras.errors import ConfigurationError
from ser_keras.model.batch import NOT_FINITE, dense, in_memory

ADAPT_FIRST = "call model.adapt(training_batches) first: the standardization is not learnt"


def require_end(call: str, x: Any, steps: int | None, option: str = "steps") -> None:
    """Refuse data without end where nobody says how many batches to take.

    Args:
        call: the method that it is given to.
        x: what the method is given.
        steps: how many batches to take; None takes all.
        option: the name of `steps` there.

    Raises:
        ConfigurationError: a dataset repeats for ever and `steps` is None.

    Example:
        >>> require_end("fit", tf.data.Dataset.range(3).repeat(), None, "steps_per_epoch")
        Traceback (most recent call last):
        ser_keras.errors.ConfigurationError: fit: expected steps_per_epoch, ..., found none
    """
    if steps is None and _is_endless(x):
        raise ConfigurationError(
            f"{call}: expected {option}, the number of batches to take of a dataset without end, "
            "found none"
        )


def rereadable(x: Any, steps: int | None = None) -> Iterable[Any]:
    """Return what `fit` is given as batches to adapt to, if they can be read again for training.

    Args:
        x: inputs in memory, a `tf.data.Dataset` or a `keras.utils.PyDataset`.
        steps: batches to take of a dataset whose length is not known.

    Raises:
        ConfigurationError: `x` can be read only once, or has no end.

    Example:
        >>> [batch.shape for batch in rereadable(np.zeros((2, 3, 40)))]
        [(2, 3, 40)]
    """
    if in_memory(x):
        return [x]
    if isinstance(x, tf.data.Dataset):
        return limited(x, steps)
    if isinstance(x, keras.utils.PyDataset):
        count = steps if x.num_batches is None else x.num_batches
        if count is not None:
            return (x[index] for index in range(count))
    raise ConfigurationError(
        f"fit: expected data that can be read twice, found {type(x).__name__}; {ADAPT_FIRST}"
    )


def limited(batches: Iterable[Any], steps: int | None) -> Iterable[Any]:
    """Take so many of batches whose end is not known, all of a dataset that knows its length.

    Example:
        >>> len(list(limited(tf.data.Dataset.range(3).repeat(), 5)))
        5
    """
    if isinstance(batches, tf.data.Dataset):
        return batches if steps is None or batches.cardinality() >= 0 else batches.take(steps)
    return itertools.islice(batches, steps)


def valid_observations(
    data: Iterable[Any],
    shape: tuple[int, ...] | None = None,
    prepare: Callable[[np.ndarray], Any] | None = None,
) -> Iterator[np.ndarray]:
    """Yield the observations of each batch without their padding, [N, *observation_shape].

    Args:
        data: batches of inputs, with labels or without.
        shape: observation_shape, which the observations must have; None takes any.
        prepare: applied to the observations of each batch, [B, T, *observation_shape], before.

    Raises:
        ConfigurationError: observations have another shape, or are not finite.

    Example:
        >>> batch = {"observations": np.zeros((2, 3, 40)), "instants": np.array([1, 3])}
        >>> [observations.shape for observations in valid_observations([batch])]
        [(4, 40)]
    """
    for batch in data:
        inputs, _, _ = keras.utils.unpack_x_y_sample_weight(batch)
        observations, instants = dense(inputs, shape)
        observations = np.asarray(observations, dtype=np.float32)
        valid = np.arange(observations.shape[1]) < np.asarray(instants)[:, np.newaxis]
        if not np.isfinite(observations[valid]).all():
            raise ConfigurationError(NOT_FINITE)
        if prepare is not None:
            observations = np.asarray(prepare(observations))
        yield observations[valid]


def _is_endless(x: Any) -> bool:
    if isinstance(x, tf.data.Dataset):
        return int(x.cardinality()) == tf.data.INFINITE_CARDINALITY
    return isinstance(x, keras.utils.PyDataset) and x.num_batches is None
