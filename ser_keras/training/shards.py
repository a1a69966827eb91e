"""Features of a whole corpus as sharded TFRecords, for corpora that do not fit into memory."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from ser_keras.corpora.utterance import Corpus, Utterance
from ser_keras.errors import CorpusError
from ser_keras.features.augmentation import NONE, Augmentation
from ser_keras.features.cache import ALGORITHM
from ser_keras.features.copies import limit_copies, numbered_copies
from ser_keras.features.extraction import SHORT, Extraction, extract_corpus
from ser_keras.features.spec import FeatureSpec
from ser_keras.fields import require
from ser_keras.files import OutputError, output_folder, replacing, write_json
from ser_keras.training import checksums, pipeline
from ser_keras.training.buckets import Buckets
from ser_keras.training.shard_index import FIELDS, FORMAT, INDEX_FILE, ShardIndex


def write(
    corpus: Corpus,
    spec: FeatureSpec,
    out: str | os.PathLike[str],
    shard_size: int = 512,
    augmentation: Augmentation = NONE,
    **extraction: Any,
) -> dict[str, Any]:
    """Extract a corpus to shards; called again after a kill, keep the finished ones.

    Those that are not as they were written are made again, with a line on standard error.

    `shard_size` is in utterances, each followed by its `augmentation.copies`; `extraction` are
    options of `extract_corpus`.

    Returns:
        The index, as the folder's `index.json`: format, corpus, its root and sources, spec, copies,
        emotions, and for every shard its file, the utterances in it, each with its instants, their
        copies (position in the shard, number, instants, seconds, checksum), the utterances left
        out, each with the reason, and checksums.

    Example:
        >>> index = write(corpus, model.features, "shards", shard_size=20, progress=False)
        >>> [shard["file"] for shard in index["shards"]]
        ['synthetic-00001-of-00002.tfrecord', 'synthetic-00002-of-00002.tfrecord']
    """
    augmentation = limit_copies(augmentation, corpus)
    folder = output_folder(out)
    count = shard_count(corpus, shard_size)
    shards = []
    for number in range(count):
        shard = write_shard(corpus, spec, folder, number, shard_size, augmentation, **extraction)
        shards.append(shard)
        name = Path(shard["file"]).stem
        print(f"shard {number + 1} of {count}: {name}", file=sys.stderr, flush=True)
    index = {
        "format": FORMAT,
        "algorithm": ALGORITHM,
        "corpus": corpus.name,
        "root": _absolute(corpus.root),
        "sources": [[source.name, _absolute(source.root)] for source in corpus.sources],
        "spec": spec.to_dict(),
        "copies": augmentation.copies,
        "copies_of": list(augmentation.copies_of),
        "variation": augmentation.of_a_copy(),
        "emotions": list(corpus.emotions),
        "shards": shards,
    }
    write_json(folder / INDEX_FILE, index)
    _remove_others(folder, corpus.name, {shard["file"] for shard in shards})
    return index


def shard_count(corpus: Corpus, shard_size: int) -> int:
    """Count the shards of so many utterances that hold a corpus.

    Example:
        >>> shard_count(corpus, shard_size=20)
        2
    """
    require(shard_size >= 1, "shard_size", shard_size, "at least 1")
    return -(-len(corpus) // shard_size)


def write_shard(
    corpus: Corpus,
    spec: FeatureSpec,
    out: str | os.PathLike[str],
    number: int,
    shard_size: int = 512,
    augmentation: Augmentation = NONE,
    **extraction: Any,
) -> dict[str, Any]:
    """Extract one shard, the `number`th from 0, unless it is finished; return its rows.

    Whoever writes them, in whatever order, `write` finds them finished and adds the index.

    Example:
        >>> shard = write_shard(corpus, model.features, "shards", 1, shard_size=20, progress=False)
        >>> shard["file"], len(shard["utterances"])
        ('synthetic-00002-of-00002.tfrecord', 12)
    """
    augmentation = limit_copies(augmentation, corpus)
    folder = output_folder(out)
    utterances = corpus[number * shard_size : (number + 1) * shard_size]
    name = f"{corpus.name}-{number + 1:05d}-of-{shard_count(corpus, shard_size):05d}"
    key = _key(utterances, spec, augmentation, extraction.get("decoder"))
    shard = _finished(folder, name, key)
    if shard is None:
        # Removed first: a kill must not leave them describing a shard that has changed.
        for stale in (folder / INDEX_FILE, folder / f"{name}.json"):
            stale.unlink(missing_ok=True)
        extracted = extract_corpus(utterances, spec, augmentation=augmentation, **extraction)
        shard = _write_shard(folder, name, key, utterances, extracted)
    return shard


def dataset(
    folder: str | os.PathLike[str],
    batch_size: int = 256,
    shuffle: bool = False,
    seed: int = 0,
    classes: Sequence[str] | None = None,
    only: Corpus | None = None,
    buffer_size: int = 2048,
) -> tf.data.Dataset:
    """Stream the batches that `pipeline.dataset` makes, from the shards that `write` left.

    The options are those of `pipeline.dataset`, and `only`: the utterances to read, such as the
    training subset; None reads all. Shuffled, every epoch has another order of the shards and,
    within a buffer of `buffer_size` utterances, of the utterances.

    Raises:
        CorpusError: the folder holds no features, or none of those utterances; the index or the
            length of a shard is not as `write` left it. What else is damaged in a shard TensorFlow
            finds, by the checksum of each record, when it comes to it.

    Example:
        >>> index = write(corpus, model.features, "shards", progress=False)
        >>> inputs, labels = next(iter(dataset("shards", batch_size=8, only=corpus[:4])))
        >>> labels.numpy().tolist() == corpus[:4].labels().tolist()
        True
    """
    index = ShardIndex.read(folder)
    corpus = index.corpus.subset(index.records.utterance)
    wanted = corpus if only is None else only
    keys = {wanted.utterance_key(utterance) for utterance in wanted}
    chosen = [n for n, utterance in enumerate(corpus) if corpus.utterance_key(utterance) in keys]
    if not chosen:
        raise CorpusError(f"{folder}: expected utterances of that subset, found none")
    labels = np.full(len(corpus), -1, np.int32)  # -1: not chosen
    labels[chosen] = corpus.subset(chosen).labels(classes)
    shape = index.spec.observation_shape

    def numbered(file: tf.Tensor, first: tf.Tensor) -> tf.data.Dataset:
        return tf.data.TFRecordDataset(file).enumerate(first)

    def utterance(number: tf.Tensor, record: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        observations = tf.reshape(tf.io.decode_raw(record, tf.float32), (-1, *shape))
        inputs = {"observations": observations, "instants": tf.shape(observations)[0]}
        return inputs, tf.constant(labels)[number]

    files = [str(path) for path in index.files]
    shards = tf.data.Dataset.from_tensor_slices((files, index.firsts))
    if shuffle:
        shards = shards.shuffle(len(files), seed=seed, reshuffle_each_iteration=True)
    utterances = (
        shards.interleave(numbered, cycle_length=4 if shuffle else 1)
        .filter(lambda number, _: tf.constant(labels)[number] >= 0)
        .map(utterance, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    )
    if not shuffle:
        return pipeline.read_ahead(utterances.padded_batch(batch_size))
    buckets = Buckets.of(index.records.instants[chosen], batch_size)
    batches = (
        utterances.shuffle(buffer_size, seed=seed, reshuffle_each_iteration=True)
        .bucket_by_sequence_length(
            lambda inputs, _: inputs["instants"],
            bucket_boundaries=buckets.boundaries,
            bucket_batch_sizes=buckets.sizes.tolist(),
        )
        # tf.data cannot know how many batches buckets make; Keras' progress bar wants to.
        .apply(tf.data.experimental.assert_cardinality(len(buckets.batch_lengths())))
    )
    return pipeline.read_ahead(batches)


def _write_shard(
    folder: Path, name: str, key: str, utterances: Corpus, extracted: Extraction
) -> dict[str, Any]:
    """Write a shard and then, as the sign that it is finished, its rows of the index."""
    target = folder / f"{name}.tfrecord"
    records = []  # checksums
    try:
        with replacing(target) as temporary, tf.io.TFRecordWriter(str(temporary)) as writer:
            for values in extracted.observations:
                # The float32 values as they are: a tf.train.Example would only wrap the one field.
                record = values.astype("<f4").tobytes()
                writer.write(record)
                records.append(checksums.of_record(record))
    except tf.errors.OpError as error:
        raise OutputError(f"{target}: cannot be written ({error.message})") from error
    rows, copies = [], []
    described = extracted.indexes, extracted.lengths, extracted.durations, records
    for index, instants, seconds, checksum in zip(*described, strict=True):
        copy, position = divmod(int(index), len(utterances))
        if copy:
            copies.append([position, copy, int(instants), float(seconds), checksum])
        else:
            known = {"duration": float(seconds), "instants": int(instants), "crc32": checksum}
            rows.append(_row(utterances, utterances[position]) | known)
    reasons, usable = dict(extracted.failed), set(extracted.indexes.tolist())
    shard = {
        "file": target.name,
        "key": key,
        "utterances": rows,
        "copies": copies,
        "left_out": [
            _row(utterances, utterance)
            | {"position": position, "reason": reasons.get(utterance, SHORT)}
            for position, utterance in enumerate(utterances)
            if position not in usable
        ],
    }
    sealed = checksums.seal(shard, target)
    write_json(folder / f"{name}.json", sealed)
    return sealed


def _finished(folder: Path, name: str, key: str) -> dict[str, Any] | None:
    """Return a shard's rows if an earlier call finished it and this one would write the same."""
    path, rows = folder / f"{name}.tfrecord", folder / f"{name}.json"
    if not rows.exists():
        return None
    try:
        shard = json.loads(rows.read_text(encoding="utf-8"))
        if checksums.is_intact(shard, path):
            return shard if shard["key"] == key else None
    except (OSError, ValueError, TypeError, AttributeError):
        pass
    print(
        f"{path}: expected the shard as it was written, found another; made again", file=sys.stderr
    )
    return None


def _remove_others(folder: Path, corpus: str, files: set[str]) -> None:
    """Remove shards of another size: a reader of all files would get their utterances twice."""
    for path in folder.glob(f"{glob.escape(corpus)}-*-of-*.tfrecord"):
        if path.name not in files:
            path.unlink()
            path.with_suffix(".json").unlink(missing_ok=True)


def _key(
    utterances: Corpus, spec: FeatureSpec, augmentation: Augmentation, decoder: str | None
) -> str:
    """Hash all that a shard and its rows of the index follow from.

    Files are told apart by path, size and time of change, without being read.
    """
    digest = hashlib.sha256(json.dumps(spec.to_dict(), sort_keys=True).encode())
    numbered = numbered_copies(utterances, augmentation)
    variation = augmentation.of_a_copy() if len(numbered) > len(utterances) else None
    digest.update(repr((FORMAT, ALGORITHM, numbered, variation, decoder)).encode())
    for utterance in utterances:
        try:
            state = utterance.path.stat()
            version = (state.st_size, state.st_mtime_ns)
        except OSError:  # the extraction will say what is wrong with it
            version = None
        digest.update(repr((version, _row(utterances, utterance))).encode())
    return digest.hexdigest()


def _row(corpus: Corpus, utterance: Utterance) -> dict[str, Any]:
    """Describe an utterance; what is not known of it is left out."""
    known = {field: getattr(utterance, field) for field in FIELDS}
    known = {field: value for field, value in known.items() if value not in ("", None)}
    return {"path": corpus.relative_path(utterance), **known}


def _absolute(root: Path | None) -> str | None:
    return None if root is None else str(root.absolute())
