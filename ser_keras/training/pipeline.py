"""tf.data: utterances of any length as padded batches that know their lengths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import CorpusError
from ser_keras.features.extraction import Extraction, extract_corpus
from ser_keras.features.spec import FeatureSpec
from ser_keras.training.buckets import Buckets


def dataset(
    corpus: Corpus,
    features: FeatureSpec,
    batch_size: int = 256,
    shuffle: bool = False,
    seed: int = 0,
    classes: Sequence[str] | None = None,
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
    return batches(extracted, batch_size, shuffle, seed, classes)


def batches(
    extraction: Extraction,
    batch_size: int = 256,
    shuffle: bool = False,
    seed: int = 0,
    classes: Sequence[str] | None = None,
    epoch: tf.Variable | None = None,
) -> tf.data.Dataset:
    """Batch observations that are in memory; options and errors are those of `dataset`.

    `epoch`, int64, counts the epochs begun, from 0 if None. The order is a function of it and the
    seed, so that setting it resumes where another process stopped.

    Example:
        >>> extracted = extract_corpus(corpus, model.features, cache=False, progress=False)
        >>> int(batches(extracted, batch_size=8).cardinality())
        4
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

    # A batch is gathered at once: utterance by utterance, tf.data takes a sixth of training's time.
    def batch(indexes: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        # From NumPy: of a tensor, TensorFlow would hold two more copies of what may be gigabytes.
        observations = tf.numpy_function(gather, [indexes], tf.float32)  # [B, T, *shape]
        inputs = {
            "observations": tf.ensure_shape(observations, [None, None, *shape]),
            "instants": tf.gather(instants, indexes),
        }
        return inputs, tf.gather(labels, indexes)

    if shuffle:
        epoch = tf.Variable(0, dtype=tf.int64) if epoch is None else epoch
        indexes = _shuffled_indexes(lengths, batch_size, seed, epoch)
    else:
        indexes = tf.data.Dataset.range(len(lengths)).batch(batch_size)
    return read_ahead(indexes.map(batch))


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
    lengths: Sequence[int], batch_size: int, seed: int, epoch: tf.Variable
) -> tf.data.Dataset:
    """Return the utterances of each batch, int32 [B]: others in every epoch."""
    buckets = Buckets.of(lengths, batch_size)
    batch_lengths = buckets.batch_lengths()
    ends = np.cumsum(batch_lengths)

    def indexes(number: tf.Tensor) -> tf.Tensor:
        key = [seed, epoch.assign_add(tf.cast(number == 0, tf.int64)) - 1]  # 0 begins an epoch
        order = tf.random.experimental.stateless_shuffle(tf.range(len(lengths)), key)
        # Stable: within a bucket, the utterances stay in the shuffled order.
        by_bucket = tf.gather(order, tf.argsort(tf.gather(buckets.bucket_of, order), stable=True))
        turns = tf.random.experimental.stateless_shuffle(tf.range(len(ends)), key)
        end, length = tf.gather(ends, turns[number]), tf.gather(batch_lengths, turns[number])
        return by_bucket[end - tf.cast(length, end.dtype) : end]

    return tf.data.Dataset.range(len(ends)).map(indexes)
