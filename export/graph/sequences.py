"""Batches whose instances are judged one by one: what one lacks must not fail the others.

TF Serving runs the requests of several clients as one batch, and an operation that fails, fails all
of them. So the graph has no assertions about an instance: it says what is wrong with it instead.
"""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

Tensors = dict[str, tf.Tensor]


def usable(
    name: str, values: tf.Tensor, lengths_name: str, lengths: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Make a batch of sequences fit to be computed with, and say which of them mean nothing.

    Args:
        name: of the values, for messages.
        values: float32 [B, N, ...].
        lengths_name: of the lengths, for messages.
        lengths: int32 [B]; expected are 1 to N, and finite values within. Another number of them
            than of sequences is a `tf.errors.InvalidArgumentError`, when run.

    Returns:
        values [B, max(N, 1), ...], 0 behind their lengths, and throughout where they are of no use;
        lengths, then 1; and problems, string [B], "" where there is none.

    Example:
        >>> values, lengths, problems = usable(
        ...     "x", tf.constant([[1.0, np.nan], [2.0, np.nan]]), "n", tf.constant([1, 2])
        ... )
        >>> values.numpy().tolist(), lengths.numpy().tolist()
        ([[1.0, 0.0], [0.0, 0.0]], [1, 1])
        >>> problems.numpy().tolist()
        [b'', b'x: expected finite numbers, found NaN or infinity']
    """
    lengths = tf.cast(tf.ensure_shape(lengths, [None]), tf.int32)
    count, longest = tf.unstack(tf.shape(values)[:2])
    rank = len(values.shape)
    counts = f"{lengths_name}: expected as many as {name}"
    with tf.control_dependencies([tf.debugging.assert_equal(tf.size(lengths), count, counts)]):
        lengths = tf.identity(lengths)
    message = tf.strings.format(
        f"{lengths_name}: expected 1 to {{}}, the length of {name}, found ", longest
    )
    in_range = (lengths >= 1) & (lengths <= longest)
    problem = tf.where(in_range, "", tf.strings.join([message, tf.strings.as_string(lengths)]))
    valid = _expand(tf.sequence_mask(lengths, longest), rank)  # [B, N, 1, ...]
    values, problem = finite(name, tf.where(valid, values, 0.0), problem)
    lengths = tf.where(problem == "", lengths, 1)
    values = tf.pad(values, [[0, 0], [0, tf.maximum(1 - longest, 0)]] + [[0, 0]] * (rank - 2))
    return values, lengths, problem


def finite(name: str, values: tf.Tensor, problem: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Replace instances [B, ...] that are not finite, or have a problem [B], by 0; say which.

    Example:
        >>> values, problem = finite("x", tf.constant([[1.0], [np.inf]]), tf.constant(["", ""]))
        >>> values.numpy().tolist(), problem.numpy()[1]
        ([[1.0], [0.0]], b'x: expected finite numbers, found NaN or infinity')
    """
    rank = len(values.shape)
    is_finite = tf.reduce_all(tf.math.is_finite(values), axis=list(range(1, rank)))
    message = f"{name}: expected finite numbers, found NaN or infinity"
    problem = tf.where(is_finite | (problem != ""), problem, message)
    return tf.where(_expand(problem == "", rank), values, 0.0), problem


def blank(answers: Mapping[str, tf.Tensor], problem: tf.Tensor) -> Tensors:
    """Replace the answers [B, ...] to instances with a problem [B] by 0 and ""; add it as `error`.

    Example:
        >>> answers = {"emotion": tf.constant(["sad", "calm"]), "instants": tf.constant([3, 2])}
        >>> blanked = blank(answers, tf.constant(["", "no sound"]))
        >>> [blanked[name].numpy().tolist() for name in ("emotion", "instants", "error")]
        [[b'sad', b''], [3, 0], [b'', b'no sound']]
    """
    return {
        **{
            name: tf.where(_expand(problem == "", len(value.shape)), value, tf.zeros_like(value))
            for name, value in answers.items()
        },
        "error": problem,
    }


def _expand(per_instance: tf.Tensor, rank: int) -> tf.Tensor:
    """Append axes of length 1 to a tensor, so that it has this rank."""
    axes = [1] * (rank - len(per_instance.shape))
    return tf.reshape(per_instance, [*tf.unstack(tf.shape(per_instance)), *axes])
