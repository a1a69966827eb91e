"""Observations that stay on disk: each is read from its shard when a batch has it.

An index tells where every record begins, so that batches are those of a training from memory, in
its order; only what a batch has is in memory.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf

from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import ConfigurationError, CorpusError
from ser_keras.features.augmentation import NONE, Augmentation
from ser_keras.features.copies import numbered_copies
from ser_keras.features.extraction import SHORT, Extraction, report, subset_name
from ser_keras.features.spec import FeatureSpec
from ser_keras.training import checksums
from ser_keras.training.shard_index import ShardIndex, differences


class StoredObservations(Sequence[np.ndarray]):
    """The observations in some records of an index, float32 [T, *observation_shape] each.

    A record is checked by its checksum whenever it is read.

    Args:
        index: what is where.
        chosen: numbers of the records.

    Raises:
        CorpusError: when read, a record is not as it was written, or its shard cannot be read.

    Example:
        >>> from ser_keras.training import shards
        >>> written = shards.write(corpus, model.features, "shards", progress=False)
        >>> stored = StoredObservations(ShardIndex.read("shards"), [3, 1])
        >>> [len(observations) for observations in stored] == stored.lengths.tolist()
        True
    """

    def __init__(self, index: ShardIndex, chosen: Sequence[int] | np.ndarray) -> None:
        numbers = np.asarray(chosen, int)
        self.lengths = index.records.instants[numbers]
        self._shape = index.spec.observation_shape
        self._files = index.files
        self._shards = np.searchsorted(index.firsts, numbers, side="right") - 1
        self._offsets = index.records.offset[numbers]
        self._checksums = index.records.checksum[numbers]

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: Any) -> Any:
        path = self._files[self._shards[index]]
        shape = self.lengths[index], *self._shape
        # TensorFlow's random reader, which is not public, keeps megabytes for each shard.
        try:
            with path.open("rb") as file:
                file.seek(self._offsets[index])
                record = file.read(4 * int(np.prod(shape)))
        except OSError as error:
            raise CorpusError(f"{path}: cannot be read ({error.strerror or error})") from error
        if checksums.of_record(record) != self._checksums[index]:
            raise CorpusError(
                f"{path}: expected the record as it was written, found another; "
                "`ser-keras features`, called again, makes the shard anew"
            )
        return np.frombuffer(record, "<f4").reshape(shape)


def load_corpus(folder: str | os.PathLike[str]) -> Corpus:
    """Return the corpus that a folder of shards was made of, also what could not be used of it.

    Example:
        >>> from ser_keras.training import shards
        >>> written = shards.write(corpus, model.features, "shards", progress=False)
        >>> load_corpus("shards") == corpus
        True
    """
    return ShardIndex.read(folder).corpus


def extract_subsets(
    folder: str | os.PathLike[str],
    subsets: Mapping[str, Corpus],
    spec: FeatureSpec,
    augmentation: Augmentation = NONE,
) -> dict[str, Extraction]:
    """Return what `extraction.extract_subsets` does, its observations read as they are asked for.

    Args:
        folder: the shards that `shards.write` left.
        subsets: by name: "train", "validation" or "test".
        spec: the observations wanted.
        augmentation: of the varied copies that follow "train", and no other subset.

    Raises:
        ConfigurationError: the shards hold other features, fewer copies or others.
        CorpusError: they are not as they were written, lack an utterance, or hold none to use.

    Example:
        >>> from ser_keras.training import shards
        >>> written = shards.write(corpus, model.features, "shards", progress=False)
        >>> extracted = extract_subsets("shards", {"train": corpus[:8]}, model.features)
        >>> len(extracted["train"].observations)
        8
    """
    index = ShardIndex.read(folder)
    _refuse_others(folder, index, spec, augmentation)
    number_of = {index.corpus.utterance_key(one): n for n, one in enumerate(index.corpus)}
    copies = max(index.records.copy, default=0)
    record_of = np.full((copies + 1, len(index.corpus)), -1)  # by copy and utterance
    record_of[index.records.copy, index.records.utterance] = np.arange(len(index.records.copy))
    extracted = {}
    for name, corpus in subsets.items():
        numbers = [number_of.get(corpus.utterance_key(utterance), -1) for utterance in corpus]
        if -1 in numbers:
            missing = corpus[numbers.index(-1)].path
            raise CorpusError(f"{folder}: expected features of {missing}, found those of others")
        numbered = numbered_copies(corpus, augmentation if name == "train" else NONE)
        extracted[name] = _collect(index, corpus, numbers, numbered, record_of)
        report(extracted[name], subset_name(name))
    return extracted


def _refuse_others(
    folder: str | os.PathLike[str], index: ShardIndex, spec: FeatureSpec, augmentation: Augmentation
) -> None:
    if found := differences(index.spec.to_dict(), spec.to_dict()):
        raise ConfigurationError(
            f"{folder}: expected the features of the preset, found others ({'; '.join(found)})"
        )
    varied = False
    for name in index.corpus.by_source():
        wanted, stored = augmentation.copies_in(name), index.augmentation.copies_in(name)
        varied = varied or wanted > 0
        if stored < wanted:
            raise ConfigurationError(
                f"{folder}: expected {wanted} varied copies of every utterance of {name}, found "
                f"{stored}; `ser-keras features` with the same preset and settings stores them, "
                f"--set copies={stored} does without"
            )
    variation = index.augmentation.of_a_copy()
    if varied and (found := differences(variation, augmentation.of_a_copy())):
        raise ConfigurationError(
            f"{folder}: expected the varied copies of the preset, found others ({'; '.join(found)})"
        )


def _collect(
    index: ShardIndex,
    corpus: Corpus,
    numbers: Sequence[int],
    numbered: Sequence[tuple[int, int]],
    record_of: np.ndarray,
) -> Extraction:
    """Extract a corpus, followed by its copies.

    Args:
        index: what is where.
        corpus: the utterances.
        numbers: of each in the index.
        numbered: number of a copy and position of its utterance in the corpus, of all wanted.
        record_of: number of the record by copy and utterance of the index, -1 where there is none.
    """
    copies, positions = np.array(numbered).T
    records = record_of[copies, np.array(numbers)[positions]]
    short, failed = [], []
    for position in positions[records < 0].tolist():
        reason = index.left_out.get(numbers[position], SHORT)
        if reason == SHORT:
            short.append(corpus[position])
        else:
            failed.append((corpus[position], reason))
    usable = records >= 0
    return Extraction(
        corpus=corpus.subset(positions[usable].tolist()),
        observations=StoredObservations(index, records[usable]),
        durations=index.records.duration[records[usable]],
        skipped_short=tuple(short),
        failed=tuple(failed),
        indexes=copies[usable] * len(corpus) + positions[usable],
    )


@contextmanager
def errors_of_reading() -> Iterator[None]:
    """Raise what reading a batch raised, of which TensorFlow makes an error of its own.

    Example:
        >>> with errors_of_reading():
        ...     raise tf.errors.InvalidArgumentError(None, None, "CorpusError: a.tfrecord: …")
        Traceback (most recent call last):
        ser_keras.errors.CorpusError: a.tfrecord: …
    """
    try:
        yield
    except tf.errors.OpError as error:
        if found := re.search(r"CorpusError: (.*)", error.message):
            raise CorpusError(found[1]) from error
        raise
