"""A batch on its way into the model and out of it: inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np
import tensorflow as tf

from ser_keras.errors import ConfigurationError
from ser_keras.fields import require
from ser_keras.model.cell import Step

Tensor = Any
Inputs = Any  # {"observations": [B, T, *shape], "instants": [B]}, or the observations alone
Outputs = dict[str, Tensor]

NOT_FINITE = "observations: expected finite numbers, found NaN or infinity"
WITHOUT_TIME = ("probabilities", "logits", "instants")  # outputs [B, …]; the others are [B, T, …]


def tells_labeled(inputs: Inputs) -> bool:
    """Tell whether inputs say which labels are known, by "labeled", bool [B].

    Example:
        >>> tells_labeled({"labeled": [True, False]}), tells_labeled(np.zeros((2, 3, 40)))
        (True, False)
    """
    return isinstance(inputs, Mapping) and "labeled" in inputs


def labeled_rows(inputs: Inputs, *values: Tensor) -> tuple[Tensor, ...]:
    """Return the rows of values, [B, …] each, whose label is known: all unless the inputs say so.

    Example:
        >>> [rows] = labeled_rows({"labeled": [True, False]}, np.array([2, 0]))
        >>> rows.numpy().tolist()
        [2]
    """
    if not tells_labeled(inputs):
        return values
    return tuple(
        tf.boolean_mask(value, tf.convert_to_tensor(inputs["labeled"])) for value in values
    )


def dense(inputs: Inputs, shape: Sequence[int] | None = None) -> tuple[Tensor, Tensor]:
    """Convert inputs in any form to padded observations and the number of valid instants.

    Args:
        inputs: observations [B, T, *observation_shape], an array or a tensor, ragged or not; or a
            mapping that holds them as "observations" and may hold "instants", int [B]. Without
            "instants" all are valid; of ragged observations (which XLA cannot densify) each row's.
        shape: observation_shape, which the observations must have; None takes any.

    Returns:
        Observations [B, T, *observation_shape] and instants, int32 [B].

    Raises:
        ConfigurationError: the inputs are no such numbers, or there is no instant at all.
        tf.errors.InvalidArgumentError: when run, a shape that a graph did not know is another.

    Example:
        >>> dense(np.zeros((2, 3, 40)))[1].numpy().tolist()
        [3, 3]
        >>> dense(np.zeros((2, 40)), shape=[40])
        Traceback (most recent call last):
        ser_keras.errors.ConfigurationError: observations: expected numbers [B, T, 40], found shape
        [2, 40]
    """
    observations, instants = _observations_and_instants(inputs)
    if isinstance(observations, tf.RaggedTensor):
        instants = observations.row_lengths() if instants is None else instants
        observations = observations.to_tensor()
    try:
        observations = tf.convert_to_tensor(observations)
    except (TypeError, ValueError) as error:
        found = type(observations).__name__
        raise ConfigurationError(f"{_expected(shape)}, found a {found}, no array") from error
    _require_kind(observations, shape)
    observations = _of_shape(observations, shape)
    if instants is None:
        batch, length = tf.unstack(tf.shape(observations)[:2])
        instants = tf.fill([batch], length)
    return observations, tf.reshape(tf.cast(instants, tf.int32), [tf.shape(observations)[0]])


def _observations_and_instants(inputs: Inputs) -> tuple[Any, Any]:
    if not isinstance(inputs, Mapping):
        return inputs, None
    if "observations" not in inputs:
        found = ", ".join(map(str, inputs)) or "none"
        raise ConfigurationError(
            f'inputs: expected "observations" and perhaps "instants", found {found}'
        )
    return inputs["observations"], inputs.get("instants")


def _expected(shape: Sequence[int] | None) -> str:
    sizes = ["…"] if shape is None else map(str, shape)
    return f"observations: expected numbers [B, T, {', '.join(sizes)}]"


def _require_kind(observations: Any, shape: Sequence[int] | None) -> None:
    """Check the type of a tensor or its specification, and the shape as far as it is known."""
    if not (observations.dtype.is_floating or observations.dtype.is_integer):
        raise ConfigurationError(f"{_expected(shape)}, found {observations.dtype.name}")
    if shape is not None and not observations.shape.is_compatible_with([None, None, *shape]):
        sizes = ", ".join("?" if size is None else str(size) for size in observations.shape)
        raise ConfigurationError(f"{_expected(shape)}, found shape [{sizes}]")
    if observations.shape.rank is not None and observations.shape[1] == 0:
        raise ConfigurationError("observations: expected at least one instant, found none")


def _of_shape(observations: Tensor, shape: Sequence[int] | None) -> Tensor:
    """Let the graph check the shape where it is not known, as of some datasets."""
    found = observations.shape
    if shape is None or (found.rank is not None and found[2:].is_fully_defined()):
        return observations
    right = tf.reduce_all(tf.equal(tf.shape(observations)[2:], list(shape)))
    expected = f"{_expected(shape)}, found shape"
    check = tf.debugging.Assert(right, [expected, tf.shape(observations)])
    with tf.control_dependencies([check]):
        return tf.ensure_shape(tf.identity(observations), [None, None, *shape])


def checked(observations: Tensor, instants: Tensor) -> tuple[Tensor, Tensor]:
    """Let the graph check that instants lie within the padding and valid observations are finite.

    XLA drops the checks.

    Args:
        observations: [B, T, *observation_shape].
        instants: int32 [B].

    Raises:
        tf.errors.InvalidArgumentError: when run.

    Example:
        >>> checked(np.zeros((1, 2, 40)), np.array([3], np.int32))
        Traceback (most recent call last):
        tensorflow.python...InvalidArgumentError: ...instants: expected 1 to T...
    """
    length = tf.shape(observations)[1]
    valid = tf.sequence_mask(instants, length)  # [B, T]
    numbers = tf.cast(observations, tf.float32)  # whole ones are finite, too
    finite = tf.reduce_all(tf.math.is_finite(numbers), tf.range(2, tf.rank(numbers)))
    checks = [
        tf.debugging.Assert(
            tf.reduce_all((instants >= 1) & (instants <= length)),
            ["instants: expected 1 to T,", length, "found", instants],
        ),
        tf.debugging.Assert(tf.reduce_all(finite | ~valid), [NOT_FINITE]),
    ]
    with tf.control_dependencies(checks):
        return tf.identity(observations), instants


def check(x: Any, shape: Sequence[int]) -> None:
    """Refuse inputs that cannot be right, before anything is traced.

    Args:
        x: what Keras' `fit`, `evaluate` or `predict` is given. Of a dataset its specification is
            checked; the rest is left to the graph.
        shape: observation_shape.

    Raises:
        ConfigurationError: they are not what `dense` and `checked` expect.

    Example:
        >>> check(np.full((1, 2, 13), np.nan), [13])
        Traceback (most recent call last):
        ser_keras.errors.ConfigurationError: observations: expected finite numbers, found NaN or
        infinity
    """
    if isinstance(x, (str, bytes, PathLike, list, tuple)):
        found = repr(x) if isinstance(x, (str, PathLike)) else f"a {type(x).__name__}"
        raise ConfigurationError(
            f"{_expected(shape)}, found {found}; tf.ragged.stack joins arrays of several lengths, "
            "and Recognizer(model).recognize takes recordings"
        )
    if isinstance(x, tf.data.Dataset):
        inputs, *_ = x.element_spec if isinstance(x.element_spec, tuple) else (x.element_spec,)
        specified, _ = _observations_and_instants(inputs)
        if isinstance(specified, tf.TensorSpec):
            _require_kind(specified, shape)
    if in_memory(x):
        observations, instants = _arrays(x, shape)
        length = observations.shape[1]
        if outside := instants[(instants < 1) | (instants > length)].tolist():
            raise ConfigurationError(f"instants: expected 1 to {length}, found {outside[0]}")
        finite = np.isfinite(observations).all(axis=tuple(range(2, observations.ndim)))  # [B, T]
        if not (finite | (np.arange(length) >= instants[:, np.newaxis])).all():
            raise ConfigurationError(NOT_FINITE)


def _arrays(x: Any, shape: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return what `dense` does as arrays, which observations that are one need not be copied to."""
    observations, instants = _observations_and_instants(x)
    if not isinstance(observations, np.ndarray):
        observations, instants = (np.asarray(part) for part in dense(x, shape))
    _require_kind(tf.TensorSpec(observations.shape, observations.dtype), shape)
    if instants is None:
        instants = np.full(len(observations), observations.shape[1])
    count, given = len(observations), np.size(instants)
    require(given == count, "instants", given, f"{count} numbers, one for each utterance")
    return observations, np.reshape(instants, count)


def in_memory(x: Any) -> bool:
    """Tell inputs in memory, an array, a tensor or a mapping of them, from batches of inputs.

    Example:
        >>> in_memory(np.zeros((2, 3, 40))), in_memory(tf.data.Dataset.range(3))
        (True, False)
    """
    return isinstance(x, Mapping) or hasattr(x, "__array__") or tf.is_tensor(x)


def last_instant(sequence: Tensor, instants: Tensor) -> Tensor:
    """Return each utterance's values at its own last instant: [B, T, K] and [B] to [B, K].

    Example:
        >>> sequence = np.array([[[1.0], [2.0]], [[3.0], [4.0]]])
        >>> last_instant(sequence, np.array([1, 2])).numpy().tolist()
        [[1.0], [4.0]]
    """
    return tf.gather(sequence, instants - 1, axis=1, batch_dims=1)


def describe(steps: Step, instants: Tensor) -> Outputs:
    """Name the outputs of `VRNN.call`, zero beyond an utterance's instants.

    Args:
        steps: the cell's outputs, fields [B, T, …].
        instants: valid instants of each utterance, int32 [B].

    Example:
        >>> steps = Step(*[np.ones((1, 2, 3), np.float32)] * 8)
        >>> describe(steps, np.array([1]))["sampled_fraction"].numpy().tolist()
        [[1.0, 0.0]]
    """
    logits = last_instant(steps.logits, instants)
    valid = tf.sequence_mask(instants, tf.shape(steps.logits)[1], dtype=tf.float32)  # [B, T]
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
