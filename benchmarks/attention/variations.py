"""Ways to choose what is sampled, and to fill what is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import tensorflow as tf

from ser_keras.model import saliency
from ser_keras.model.cell import VRNNCell

Tensor = Any

# Multiples of the mean saliency that the threshold takes, from everything sampled to nothing.
THRESHOLDS = (0.25, 0.5, 0.75, 1.5, 2.0, 3.0)
DRAWS = 3  # of random attention


class Instant(NamedTuple):
    """All that a variation may look at, at one instant."""

    observation: Tensor  # X_t, [B, D]
    prediction: Tensor  # x̂_t, [B, D]
    previous: Tensor  # X_{t−1}, [B, D]
    saliency: Tensor  # S_t, [B, D]
    share: Tensor  # the sampled fraction of the model as it is, after the first instant, []
    seed: Tensor  # another one at every instant, int32 [2]
    frames: int  # of an observation, 1 where it has none


class Variation(NamedTuple):
    """One row of the table."""

    title: str
    attend: Callable[[Instant], Tensor]  # W_t, [B, D]; all of the first instant is sampled anyway
    fill: Callable[[Instant], Tensor]  # takes the place of what is not sampled, [B, D]


def own_attention(instant: Instant) -> Tensor:
    """Attend as the model does (Eq. 3)."""
    return saliency.attention_weights(instant.saliency)


def random_attention(instant: Instant) -> Tensor:
    """Attend to elements at random, to as many as the model does."""
    drawn = tf.random.stateless_uniform(tf.shape(instant.observation), instant.seed)
    return tf.cast(drawn < instant.share, tf.float32)


def least_salient(instant: Instant) -> Tensor:
    """Attend to the elements of least saliency, to as many as the model does."""
    size = tf.shape(instant.saliency)[-1]
    rank = tf.cast(tf.round(instant.share * tf.cast(size, tf.float32)), tf.int32)
    threshold = tf.sort(instant.saliency, axis=-1)[:, rank, tf.newaxis]
    return tf.cast(instant.saliency < threshold, tf.float32)


def above(multiple: float) -> Callable[[Instant], Tensor]:
    """Attend where the saliency is above a multiple of its mean."""

    def attend(instant: Instant) -> Tensor:
        mean = tf.reduce_mean(instant.saliency, axis=-1, keepdims=True)
        return tf.cast(instant.saliency >= multiple * mean, tf.float32)

    return attend


def above_mean_over(axis: int) -> Callable[[Instant], Tensor]:
    """Attend where the saliency is above its mean over frames (1) or over bands (2) of a patch."""

    def attend(instant: Instant) -> Tensor:
        shape = tf.shape(instant.saliency)
        patches = tf.reshape(instant.saliency, [shape[0], instant.frames, -1])
        mean = tf.reduce_mean(patches, axis=axis, keepdims=True)
        return tf.reshape(tf.cast(patches >= mean, tf.float32), shape)

    return attend


def _prediction(instant: Instant) -> Tensor:
    return instant.prediction


def _mean(instant: Instant) -> Tensor:
    """Observations are standardized: their mean over the training subset is zero."""
    return tf.zeros_like(instant.observation)


VARIATIONS = {
    "as-it-is": Variation("as it is", own_attention, _prediction),
    "everything": Variation(
        "everything sampled", lambda instant: tf.ones_like(instant.saliency), _prediction
    ),
    **{
        f"random-{draw}": Variation(
            f"random attention of the same share, draw {draw}", random_attention, _prediction
        )
        for draw in range(1, DRAWS + 1)
    },
    "inverted": Variation(
        "inverted attention", lambda instant: 1.0 - own_attention(instant), _prediction
    ),
    "least-salient": Variation("the least salient, of the same share", least_salient, _prediction),
    "above-band-mean": Variation(
        "threshold of each band: its mean over frames", above_mean_over(1), _prediction
    ),
    "above-frame-mean": Variation(
        "threshold of each frame: its mean over bands", above_mean_over(2), _prediction
    ),
    "zero": Variation("not sampled: the training mean", own_attention, _mean),
    "last": Variation(
        "not sampled: the last observation", own_attention, lambda instant: instant.previous
    ),
    "prediction-alone": Variation(
        "nothing sampled after the first instant",
        lambda instant: tf.zeros_like(instant.saliency),
        _prediction,
    ),
    **{
        f"threshold-{multiple:g}": Variation(
            f"threshold at {multiple:g} × the mean saliency", above(multiple), _prediction
        )
        for multiple in THRESHOLDS
    },
}


@contextmanager
def selecting(
    cell: VRNNCell, select: Callable[..., tuple[Tensor, Tensor, Tensor]]
) -> Iterator[None]:
    """Let a cell select by another function inside the block."""
    own = cell.select
    cell.select = select  # type: ignore[method-assign]
    try:
        yield
    finally:
        cell.select = own  # type: ignore[method-assign]
