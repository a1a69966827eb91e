"""tf.data: utterances of any length as padded batches that know their lengths."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import CorpusError
from ser_keras.features.extraction import Extraction, extract_corpus
from ser_keras.features.spec import FeatureSpec
from ser_keras.training.balance import draws_of_epoch
from ser_keras.training.buckets import Buckets


def dataset(
    corpus: Corpus,
    features: FeatureSpec,
    batch_size: int = 256,
    shuffle: bool = False,
    seed: int = 0,
    classes: Sequence[str] | None = None,
    balance: str = "none",
    epoch_draws: int | None = None,
    **extraction: Any,
) -> tf.data.Dataset:
    """Extract a corpus and batch it for `fit`, `evaluate` and `predict`.

    Args:
        corpus: utterances; too short or unreadable ones are left out, and named on standard error.
        features: of each observation, `model.features`.
        batch_size: utterances per batch.
        shuffle: a new order every epoch and batches of like lengths; otherwise the corpus' order.
        seed: of the shuffling.
        classes: names in the order of the labels, for a trained model `model.classes`; None is the
            order of the corpus' own emotions. To a model trained on another corpus, such labels
            mean other emotions, without a warning: `corpora.match(corpus, model.classes).corpus`
            has the model's classes instead.
        balance: of shuffled batches, what an epoch draws equally often: "corpus", "emotion" or
            "corpus,emotion"; "none" draws every utterance once.
        epoch_draws: of shuffled batches, most utterances and copies in an epoch; None for all.
        **extraction: options of `extraction.extract_corpus`, such as `cache` and `workers`.

    Returns:
        Inputs {"observations": float32 [B, T, *observation_shape], "instants": int32 [B]} and
        labels, int32 [B].

    Raises:
        CorpusError: no utterance is left, or a label is not among the classes.

    Example:
        >>> data = dataset(corpus, model.features, batch_size=8, cache=False, progress=False)
        >>> inputs, labels = next(iter(data))
        >>> inputs["observations"].shape.as_list(), labels.shape.as_list()
        ([8, 7, 13], [8])
    """
    corpus.labels(classes)  # an error in them is told before the extraction, not after
    extracted = extract_corpus(corpus, features, name=corpus.name, **extraction)
    return batches(
        extracted,
        batch_size,
        shuffle,
        seed,
        classes,
        balance=balance,
        epoch_draws=epoch_draws,
    )


def batches(
    extraction: Extraction,
    batch_size: int = 256,
    shuffle: bool = False,
    seed: int = 0,
    classes: Sequence[str] | None = None,
    epoch: tf.Variable | None = None,
    balance: str = "none",
    epoch_draws: int | None = None,
    targets: np.ndarray | None = None,
    share: tf.distribute.InputContext | None = None,
) -> tf.data.Dataset:
    """Batch extracted observations; options and errors are those of `dataset`.

    `epoch`, int64, counts the epochs begun, from 0 if None. Draws and order are a function of it
    and the seed, so that setting it resumes where another process stopped. `targets`, float32
    [N, C], are probabilities to learn from instead of the labels. Of several workers, `share` has
    the rows that the worker's replicas take of every batch, in turns.

    Where an utterance has no emotion, the inputs have "labeled", bool [B], and its label is 0.

    Example:
        >>> extracted = extract_corpus(corpus, model.features, cache=False, progress=False)
        >>> int(batches(extracted, batch_size=8).cardinality())
        4
    """
    if not extraction.observations:
        raise CorpusError(
            f"{extraction.corpus.name}: expected utterances that can be used, found none"
        )
    lengths = extraction.lengths
    shape = extraction.observations[0].shape[1:]
    instants = tf.constant(lengths, tf.int32)
    labels = extraction.corpus.labels(classes)
    labeled = labels >= 0
    labels = np.maximum(labels, 0)

    # TensorFlow keeps what a graph calls for as long as the process lives. So that this is not all
    # observations of every dataset there was, the dataset itself holds them.
    held = weakref.ref(extraction)

    def gather(indexes: np.ndarray, length: int) -> np.ndarray:
        padded = np.zeros((len(indexes), length, *shape), np.float32)
        if (alive := held()) is None:
            raise RuntimeError("observations: expected their dataset to be there, found it deleted")
        for row, index in zip(padded, indexes, strict=True):
            observations = alive.observations[index]
            row[: len(observations)] = observations
        return padded

    # A batch is gathered at once: utterance by utterance, tf.data takes a sixth of training's time.
    def batch(indexes: tf.Tensor, length: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        # From NumPy: of a tensor, TensorFlow would hold two more copies of what may be gigabytes.
        observations = tf.numpy_function(gather, [indexes, length], tf.float32)  # [B, T, *shape]
        inputs = {
            "observations": tf.ensure_shape(observations, [None, None, *shape]),
            "instants": tf.gather(instants, indexes),
        }
        if targets is not None:
            inputs["targets"] = tf.gather(targets, indexes)
        if not labeled.all():
            inputs["labeled"] = tf.gather(labeled, indexes)
        return inputs, tf.gather(labels, indexes)

    if shuffle:
        epoch = tf.Variable(0, dtype=tf.int64) if epoch is None else epoch
        draws = draws_of_epoch(extraction.corpus, balance, epoch_draws)
        indexes = _shuffled_indexes(lengths, batch_size, seed, epoch, draws)
    else:
        indexes = tf.data.Dataset.range(len(lengths)).batch(batch_size)
    # A replica's rows are as long as the whole batch: noise is drawn for every instant.
    rows = indexes.map(lambda each: (each, tf.reduce_max(tf.gather(instants, each))))
    if share is not None:
        rows = _rows_of_replicas(rows, share)
    made = read_ahead(rows.map(batch))
    made.extraction = extraction
    return made


def _rows_of_replicas(
    batches: tf.data.Dataset, context: tf.distribute.InputContext
) -> tf.data.Dataset:
    """Return of each batch, indexes [B] and a length, every n-th index for a worker's replicas."""
    replicas = context.num_replicas_in_sync
    here = replicas // context.num_input_pipelines
    first, count = context.input_pipeline_id * here, int(batches.cardinality())

    def rows(indexes: tf.Tensor, length: tf.Tensor) -> tf.data.Dataset:
        own = tf.data.Dataset.range(first, first + here)
        return own.map(lambda replica: (indexes[replica::replicas], length))

    shares = batches.flat_map(rows)
    # Several replicas of a worker take as many at a step, which Keras would not count as one.
    return shares.apply(tf.data.experimental.assert_cardinality(count)) if here == 1 else shares


def read_ahead(made: tf.data.Dataset) -> tf.data.Dataset:
    """Make two batches ready while the one before is computed, and never more.

    tf.data would tune their number in a thread that sleeps for up to a minute; an epoch's end waits
    until it wakes: a fifth of the time of a training whose epochs take a minute.

    Example:
        >>> int(read_ahead(tf.data.Dataset.range(3)).cardinality())
        3
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return made.prefetch(2).with_options(options)


def _shuffled_indexes(
    lengths: np.ndarray,
    batch_size: int,
    seed: int,
    epoch: tf.Variable,
    draws: np.ndarray | None = None,
) -> tf.data.Dataset:
    """Return the utterances of each batch, int32 [B]: others in every epoch."""
    buckets = Buckets.of(lengths, batch_size, draws)
    batch_lengths = buckets.batch_lengths()
    ends = np.cumsum(batch_lengths)
    everything = tf.range(len(lengths))

    # Once an epoch: for every batch, a million utterances would be put in order anew.
    def batches_of_epoch(_: tf.Tensor) -> tf.data.Dataset:
        key = [seed, epoch.assign_add(1) - 1]
        if draws is None:
            by_bucket = _shuffle(everything, buckets.bucket_of, key)
        else:
            drawn = _draw(buckets, draws, key)
            bucket_of = np.repeat(np.arange(len(buckets.counts)), buckets.counts)
            # Apart again: the draws of one utterance lie side by side.
            by_bucket = _shuffle(drawn, bucket_of, tf.random.experimental.stateless_fold_in(key, 1))
        turns = tf.random.experimental.stateless_shuffle(tf.range(len(ends)), key)

        def indexes(turn: tf.Tensor) -> tf.Tensor:
            end, length = tf.gather(ends, turn), tf.gather(batch_lengths, turn)
            return by_bucket[end - tf.cast(length, end.dtype) : end]

        return tf.data.Dataset.from_tensor_slices(turns).map(indexes)

    batches = tf.data.Dataset.range(1).flat_map(batches_of_epoch)
    return batches.apply(tf.data.experimental.assert_cardinality(len(ends)))


def _shuffle(values: tf.Tensor, bucket_of: np.ndarray, key: Any) -> tf.Tensor:
    """Shuffle values [N] within their buckets, int [N]; one bucket follows the other."""
    order = tf.random.experimental.stateless_shuffle(tf.range(len(bucket_of)), key)
    # Stable: within a bucket, they stay in the shuffled order.
    by_bucket = tf.argsort(tf.gather(bucket_of, order), stable=True)
    return tf.gather(values, tf.gather(order, by_bucket))


def _draw(buckets: Buckets, draws: np.ndarray, key: Any) -> tf.Tensor:
    """Draw as many utterances of each bucket as it counts, int32, one bucket after the other.

    Systematic sampling: an utterance that is expected 2.3 times comes two or three times, never
    more or less often, so that groups are balanced in every epoch and not only in the mean.
    """
    totals = np.bincount(buckets.bucket_of, draws)
    expected = (draws * buckets.counts[: len(totals)][buckets.bucket_of]) / totals[
        buckets.bucket_of
    ]
    order = _shuffle(tf.range(len(draws)), buckets.bucket_of, key)
    ends = tf.cumsum(tf.gather(expected, order))  # each bucket ends at a whole number
    offset = tf.random.stateless_uniform([], key, dtype=tf.float64)
    points = tf.range(int(buckets.counts.sum()), dtype=tf.float64) + offset
    found = tf.searchsorted(ends, points, side="right")
    return tf.gather(order, tf.minimum(found, len(draws) - 1))
