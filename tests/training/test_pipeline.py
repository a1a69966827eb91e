"""Batches of utterances of any length: nothing lost, nothing leaked, repeatable."""

from __future__ import annotations

import functools
import gc
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from ser_keras.corpora.utterance import Corpus, Utterance
from ser_keras.errors import CorpusError
from ser_keras.features.extraction import Extraction
from ser_keras.features.spec import FeatureSpec
from ser_keras.training import pipeline
from ser_keras.training.buckets import SHORTEST_BUCKET

CLASSES = ("calm", "angry")


def make_extraction(lengths: list[int]) -> Extraction:
    """Utterance i consists of the number i + 1, repeated."""
    utterances = tuple(Utterance(Path(f"{i:03d}.wav"), CLASSES[i % 2]) for i in range(len(lengths)))
    return Extraction(
        corpus=Corpus("made", utterances, CLASSES),
        observations=[np.full((t, 3), i + 1, np.float32) for i, t in enumerate(lengths)],
        durations=np.zeros(len(lengths)),
        skipped_short=(),
        failed=(),
    )


def unpadded(batches: tf.data.Dataset) -> list[tuple[int, int, int]]:
    """(utterance, length, label) in the order of the batches; checks the padding on the way."""
    found = []
    for inputs, labels in batches:
        observations, instants = inputs["observations"].numpy(), inputs["instants"].numpy()
        assert observations.shape[1] == instants.max()
        for row, length, label in zip(observations, instants, labels.numpy(), strict=True):
            assert len(np.unique(row[:length])) == 1
            assert np.all(row[length:] == 0)
            found.append((int(row[0, 0]) - 1, int(length), int(label)))
    return found


LENGTHS = [1, 4, 2, 30, 5, 5, 9, 3, 17, 2, 64, 3, 8]


@pytest.mark.io_stack
@pytest.mark.parametrize("shuffle", [False, True])
def test_every_utterance_comes_once_with_its_length_and_label(shuffle: bool):
    batches = pipeline.batches(make_extraction(LENGTHS), batch_size=3, shuffle=shuffle)
    found = unpadded(batches)
    assert sorted(found) == [(i, t, i % 2) for i, t in enumerate(LENGTHS)]
    if not shuffle:
        assert found == sorted(found)


def test_observations_are_held_once(memory: Callable[[], int]):
    # 115 MB, beside which what other tests leave behind, and what comes and goes of it, is little.
    extraction = make_extraction([160_000] * 60)
    size = sum(observations.nbytes for observations in extraction.observations)
    before = memory()
    batches = iter(pipeline.batches(extraction, batch_size=2, shuffle=True))
    next(batches)
    assert memory() - before < size / 4


def test_padding_adds_at_most_half_the_work():
    batches = pipeline.batches(make_extraction(LENGTHS), batch_size=4, shuffle=True)
    for inputs, _ in batches:
        shortest, longest = inputs["instants"].numpy().min(), inputs["instants"].numpy().max()
        assert longest <= max(SHORTEST_BUCKET, 1.5 * shortest)


def test_a_length_that_fills_a_batch_is_not_padded():
    lengths = [7] * 20 + [8] * 3 + [6] * 16 + [5] * 2
    batches = pipeline.batches(make_extraction(lengths), batch_size=16, shuffle=True)
    shapes = sorted(tuple(inputs["observations"].shape[:2]) for inputs, _ in batches)
    assert shapes == [(2, 5), (3, 8), (10, 7), (10, 7), (16, 6)]


def test_batches_of_a_bucket_are_alike_in_size():
    batches = pipeline.batches(make_extraction([2] * 50 + [4] * 7), batch_size=16, shuffle=True)
    sizes = sorted(len(labels) for _, labels in batches)
    assert sizes == [7, 11, 13, 13, 13]


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_knows_how_many_batches_there_are(batch_size: int):
    batches = pipeline.batches(make_extraction(LENGTHS), batch_size, shuffle=True)
    assert int(batches.cardinality()) == sum(1 for _ in batches)


def test_orders_differ_between_epochs_and_repeat_with_the_seed():
    def epochs(seed: int) -> list[list[int]]:
        batches = pipeline.batches(make_extraction([2] * 50), 8, shuffle=True, seed=seed)
        return [[i for i, _, _ in unpadded(batches)] for _ in range(3)]

    first, again, other = epochs(0), epochs(0), epochs(1)
    assert first == again
    assert first[0] != first[1] != first[2]
    assert first != other


def test_an_epoch_can_be_resumed():
    extraction = make_extraction([2] * 50)
    batches = pipeline.batches(extraction, 8, shuffle=True)
    orders = [unpadded(batches) for _ in range(3)]
    resumed = pipeline.batches(extraction, 8, shuffle=True, epoch=tf.Variable(2, dtype=tf.int64))
    assert unpadded(resumed) == orders[2]


def test_labels_follow_the_classes_asked_for():
    batches = pipeline.batches(make_extraction([2, 2]), classes=("angry", "sad", "calm"))
    assert [label for _, _, label in unpadded(batches)] == [2, 0]


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_dataset_holds_its_observations_and_tensorflow_does_not(shuffle: bool):
    extraction = make_extraction([3, 1, 2])
    held = weakref.ref(extraction)
    batches = pipeline.batches(extraction, 2, shuffle=shuffle).map(lambda *batch: batch).take(2)
    del extraction
    gc.collect()
    assert len(list(batches)) == 2  # the dataset is all that holds them
    assert held() is not None
    del batches
    gc.collect()
    assert held() is None


def test_nothing_to_batch_is_an_error():
    with pytest.raises(CorpusError, match="expected utterances that can be used, found none"):
        pipeline.batches(make_extraction([]))


def test_emotion_that_is_no_class_is_an_error():
    with pytest.raises(CorpusError, match="calm"):
        pipeline.batches(make_extraction([2]), classes=("angry",))


def test_emotion_that_is_no_class_is_refused_before_the_extraction(
    capsys: pytest.CaptureFixture[str],
):
    features = FeatureSpec()
    with pytest.raises(CorpusError, match="calm"):
        pipeline.dataset(make_extraction([2]).corpus, features, classes=("angry",))
    assert "Extracting" not in capsys.readouterr().err


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize(("workers", "replicas"), [(2, 2), (2, 4), (3, 3)])
def test_replicas_share_every_batch(workers: int, replicas: int, shuffle: bool):
    extraction = make_extraction(LENGTHS)
    batches = functools.partial(pipeline.batches, extraction, 3, shuffle=shuffle, seed=1)
    shares = [
        list(batches(share=tf.distribute.InputContext(workers, worker, replicas)))
        for worker in range(workers)
    ]
    here = replicas // workers
    for number, (whole, labels) in enumerate(batches()):
        for replica in range(replicas):
            worker, place = divmod(replica, here)
            inputs, own = shares[worker][number * here + place]
            for key, values in whole.items():  # as long as the whole batch, too
                np.testing.assert_array_equal(inputs[key], values[replica::replicas])
            np.testing.assert_array_equal(own, labels[replica::replicas])
    assert all(len(share) == (number + 1) * here for share in shares)
