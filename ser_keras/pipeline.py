"""tf.data: utterances of any length as bucketed, padded batches that know their lengths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import CorpusError
from ser_keras.extraction import Extraction, extract_corpus, usable
from ser_keras.features import FeatureSpec

SHORTEST_BUCKET = 2


def dataset(
    corpus: Corpus,
    features: FeatureSpec,
    batch_size: int = 256,
    shuffle: bool = False,
    seed: int = 0,
    classes: Sequence[str] | None = None,
    **extraction: Any,
) -> tf.data.Dataset:
    """Batches of a corpus, ready for `fit`, `evaluate` and `predict`.

    Args:
        corpus: utterances; those shorter than a window or unreadable are
            left out, and named on standard error.
        features: what an observation is, `model.features`.
        batch_size: utterances per batch.
        shuffle: a new order every epoch and batches of like lengths; otherwise the corpus' order.
        seed: of the shuffling.
        classes: names in the order of the labels; the corpus' emotions if None.
        **extraction: options of `extraction.extract_corpus`, such as `cache` and `workers`.

    Returns:
        Inputs {"observations": float32 [B, T, *observation_shape], "instants": int32 [B]} and
        labels, int32 [B].

    Raises:
        CorpusError: no utterance is left, or a label is not among the classes.
    """
    extracted = usable(extract_corpus(corpus, features, **extraction), corpus.name)
    return batches(extracted, batch_size, shuffle, seed, classes)


def batches(
    extraction: Extraction,
    batch_size: int = 256,
    shuffle: bool = False,
    seed: int = 0,
    classes: Sequence[str] | None = None,
    epoch: tf.Variable | None = None,
) -> tf.data.Dataset:
    """As `dataset`, of observations that are in memory; `epoch` as `shuffled_indexes` says."""
    if not extraction.observations:
        raise CorpusError(f"{extraction.corpus.name}: found no utterance that can be used")
    lengths = [len(observations) for observations in extraction.observations]
    rows = tf.RaggedTensor.from_row_lengths(np.concatenate(extraction.observations), lengths)
    labels = tf.constant(extraction.corpus.labels(classes))
    shape = (None, *extraction.observations[0].shape[1:])

    def element(index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.ensure_shape(rows[index], shape), labels[index]

    if shuffle:
        order = shuffled_indexes(len(lengths), seed, epoch)
        return in_buckets(order.map(element), lengths, batch_size)
    return in_order(tf.data.Dataset.range(len(lengths)).map(element), batch_size)


def shuffled_indexes(count: int, seed: int, epoch: tf.Variable | None = None) -> tf.data.Dataset:
    """0 … count − 1 in another order each time it is gone through.

    Args:
        count: how many.
        seed: of the orders.
        epoch: int64, counts the times gone through; the order is a function of it and the seed,
            so that setting it resumes where another process was. None begins at 0.
    """
    epoch = tf.Variable(0, dtype=tf.int64) if epoch is None else epoch

    def next_order(_: tf.Tensor) -> tf.data.Dataset:
        number = epoch.assign_add(1) - 1
        order = tf.random.experimental.stateless_shuffle(tf.range(count), [seed, number])
        return tf.data.Dataset.from_tensor_slices(order)

    return tf.data.Dataset.range(1).flat_map(next_order)


def in_order(elements: tf.data.Dataset, batch_size: int) -> tf.data.Dataset:
    """Batch single utterances in their order, padding each batch to its longest with zeros.

    Args:
        elements: (observations float32 [T, *observation_shape], label int32).
        batch_size: utterances per batch.
    """
    return _with_instants(elements).padded_batch(batch_size).prefetch(tf.data.AUTOTUNE)


def in_buckets(
    elements: tf.data.Dataset, lengths: Sequence[int], batch_size: int
) -> tf.data.Dataset:
    """Batch utterances of like lengths, so that padding never more than doubles the work.

    Args:
        elements: (observations float32 [T, *observation_shape], label int32), shuffled.
        lengths: T of every one of them, in any order.
        batch_size: utterances per batch, at most.
    """
    boundaries = bucket_boundaries(max(lengths))
    counts = np.bincount(np.digitize(lengths, boundaries), minlength=len(boundaries) + 1)
    steps = -(-counts // batch_size)
    # A bucket's batches share its utterances evenly: a last batch of a few would take as large a
    # step of gradient descent as a full one.
    sizes = np.maximum(-(-counts // np.maximum(steps, 1)), 1)
    return (
        _with_instants(elements)
        .bucket_by_sequence_length(
            lambda inputs, _: inputs["instants"],
            bucket_boundaries=boundaries,
            bucket_batch_sizes=sizes.tolist(),
        )
        # tf.data cannot know how many batches buckets make; Keras' progress bar wants to.
        .apply(tf.data.experimental.assert_cardinality(int(steps.sum())))
        .prefetch(tf.data.AUTOTUNE)
    )


def bucket_boundaries(longest: int) -> list[int]:
    """Lengths at which a bucket begins: 3, 5, 9, 17, … up to the longest utterance, in instants."""
    boundaries = []
    end = SHORTEST_BUCKET
    while end < longest:
        boundaries.append(end + 1)
        end *= 2
    return boundaries


def _with_instants(elements: tf.data.Dataset) -> tf.data.Dataset:
    return elements.map(
        lambda observations, label: (
            {"observations": observations, "instants": tf.shape(observations)[0]},
            label,
        ),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )
