"""tf.data: utterances of any length as bucketed, padded batches that know their lengths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import CorpusError
from ser_keras.features.extraction import Extraction, extract_corpus
from ser_keras.features.spec import FeatureSpec

SHORTEST_BUCKET = 2
READ_AHEAD = 2  # batches


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
        classes: names in the order of the labels, for a trained model `model.classes`; None is the
            order of the corpus' own emotions: to a model trained on another corpus, such labels
            mean other emotions, and nothing tells. `corpora.match(corpus, model.classes).corpus`
            has the model's classes in the place of the corpus' words, in the model's order.
        **extraction: options of `extraction.extract_corpus`, such as `cache` and `workers`.

    Returns:
        Inputs {"observations": float32 [B, T, *observation_shape], "instants": int32 [B]} and
        labels, int32 [B].

    Raises:
        CorpusError: no utterance is left, or a label is not among the classes.
    """
    corpus.labels(classes)  # what is wrong with them is told before the extraction, not after
    extracted = extract_corpus(corpus, features, name=corpus.name, **extraction)
    return batches(extracted, batch_size, shuffle, seed, classes)


def batches(
    extraction: Extraction,
    batch_size: int = 256,
    shuffle: bool = False,
    seed: int = 0,
    classes: Sequence[str] | None = None,
    epoch: tf.Variable | None = None,
) -> tf.data.Dataset:
    """As `dataset`, of observations that are in memory.

    Args:
        extraction: the observations.
        batch_size: utterances per batch, at most.
        shuffle: as for `dataset`.
        seed: of the shuffling.
        classes: as for `dataset`.
        epoch: int64, counts the times gone through; the order is a function of it and the seed,
            so that setting it resumes where another process was. None begins at 0.

    Raises:
        CorpusError: no utterance is left, or a label is not among the classes.
    """
    if not extraction.observations:
        raise CorpusError(
            f"{extraction.corpus.name}: expected utterances that can be used, found none"
        )
    lengths = [len(observations) for observations in extraction.observations]
    shape = extraction.observations[0].shape[1:]
    instants = tf.constant(lengths, tf.int32)
    labels = tf.constant(extraction.corpus.labels(classes))

    def gather(indexes: np.ndarray) -> np.ndarray:
        found = [extraction.observations[index] for index in indexes]
        return keras.utils.pad_sequences(found, dtype="float32", padding="post")

    def batch(indexes: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        # Not of a tensor: TensorFlow would hold two more copies of what may be gigabytes.
        observations = tf.numpy_function(gather, [indexes], tf.float32)
        inputs = {
            "observations": tf.ensure_shape(observations, [None, None, *shape]),
            "instants": tf.gather(instants, indexes),
        }
        return inputs, tf.gather(labels, indexes)

    # A batch is gathered at once: utterance by utterance, tf.data takes a sixth of training's time.
    if shuffle:
        count, chosen = _shuffled_batches(lengths, batch_size, seed, epoch)
        numbers = tf.data.Dataset.range(count).map(lambda number: batch(chosen(number)))
    else:
        numbers = tf.data.Dataset.range(len(lengths)).batch(batch_size).map(batch)
    return _read_ahead(numbers)


def _shuffled_batches(
    lengths: Sequence[int], batch_size: int, seed: int, epoch: tf.Variable | None
) -> tuple[int, Callable[[tf.Tensor], tf.Tensor]]:
    """How many batches of like lengths there are, and a function of a batch's number.

    It gives the indexes of the batch's utterances, int32 [B], others in every epoch, and is to be
    called with the numbers in their order: 0 begins an epoch.
    """
    epoch = tf.Variable(0, dtype=tf.int64) if epoch is None else epoch
    boundaries = bucket_boundaries(lengths, batch_size)
    buckets, counts, sizes = _buckets(lengths, boundaries, batch_size)
    batch_lengths = [
        min(size, count - first)
        for count, size in zip(counts, sizes, strict=True)
        for first in range(0, count, size)
    ]
    ends = np.cumsum(batch_lengths)

    def indexes(number: tf.Tensor) -> tf.Tensor:
        key = [seed, epoch.assign_add(tf.cast(number == 0, tf.int64)) - 1]
        order = tf.random.experimental.stateless_shuffle(tf.range(len(lengths)), key)
        by_bucket = tf.gather(order, tf.argsort(tf.gather(buckets, order), stable=True))
        turns = tf.random.experimental.stateless_shuffle(tf.range(len(ends)), key)
        end, length = tf.gather(ends, turns[number]), tf.gather(batch_lengths, turns[number])
        return by_bucket[end - tf.cast(length, end.dtype) : end]

    return len(ends), indexes


def in_order(elements: tf.data.Dataset, batch_size: int) -> tf.data.Dataset:
    """Batch single utterances in their order, padding each batch to its longest with zeros.

    Args:
        elements: (observations float32 [T, *observation_shape], label int32).
        batch_size: utterances per batch.
    """
    return _read_ahead(_with_instants(elements).padded_batch(batch_size))


def in_buckets(
    elements: tf.data.Dataset, lengths: Sequence[int], batch_size: int
) -> tf.data.Dataset:
    """Batch utterances of like lengths, so that padding adds at most half the work.

    Args:
        elements: (observations float32 [T, *observation_shape], label int32), shuffled.
        lengths: T of every one of them, in any order.
        batch_size: utterances per batch, at most.
    """
    boundaries = bucket_boundaries(lengths, batch_size)
    _, counts, sizes = _buckets(lengths, boundaries, batch_size)
    steps = -(-counts // sizes)
    buckets = (
        _with_instants(elements)
        .bucket_by_sequence_length(
            lambda inputs, _: inputs["instants"],
            bucket_boundaries=boundaries,
            bucket_batch_sizes=sizes.tolist(),
        )
        # tf.data cannot know how many batches buckets make; Keras' progress bar wants to.
        .apply(tf.data.experimental.assert_cardinality(int(steps.sum())))
    )
    return _read_ahead(buckets)


def _buckets(
    lengths: Sequence[int], boundaries: Sequence[int], batch_size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each utterance's bucket, and of each bucket: its utterances and its batches' size."""
    buckets = np.digitize(lengths, boundaries)
    counts = np.bincount(buckets, minlength=len(boundaries) + 1)
    steps = -(-counts // batch_size)
    # A bucket's batches share its utterances evenly: a last batch of a few would take as large a
    # step of gradient descent as a full one.
    return buckets, counts, np.maximum(-(-counts // np.maximum(steps, 1)), 1)


def bucket_boundaries(lengths: Sequence[int], batch_size: int) -> list[int]:
    """Lengths at which a bucket begins: 3, 5, 7, 9, 13, 17, 25, 33, … up to the longest utterance.

    Two in each octave, in instants: one would pad recordings of three to five seconds to eight
    instants of half a second, a third more than they have. A length whose utterances fill a batch
    has a bucket of its own, so that they are not padded at all.
    """
    ends = [SHORTEST_BUCKET, 2 * SHORTEST_BUCKET]
    while ends[-1] < max(lengths):
        ends += [3 * ends[-1] // 2, 2 * ends[-1]]
    common = np.flatnonzero(np.bincount(lengths) >= batch_size).tolist()
    begins = {*(end + 1 for end in ends), *common, *(length + 1 for length in common)}
    return sorted(begin for begin in begins if min(lengths) < begin <= max(lengths))


def _read_ahead(made: tf.data.Dataset) -> tf.data.Dataset:
    """Make batches ready while the one before is computed, so many and never more.

    tf.data would tune how many in a thread that sleeps for up to a minute, and the end of every
    epoch waits until it wakes: a fifth of the time of a training whose epochs take a minute.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return made.prefetch(READ_AHEAD).with_options(options)


def _with_instants(elements: tf.data.Dataset) -> tf.data.Dataset:
    return elements.map(
        lambda observations, label: (
            {"observations": observations, "instants": tf.shape(observations)[0]},
            label,
        ),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )
