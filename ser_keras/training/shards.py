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

from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import ConfigurationError, CorpusError
from ser_keras.features.extraction import extract_corpus
from ser_keras.features.spec import FeatureSpec
from ser_keras.files import OutputError, output_folder, replacing, write_json
from ser_keras.training import pipeline

INDEX_FILE = "index.json"

# Options of `extraction.extract_corpus` that change what is extracted.
DECISIVE = ("decoder", "augmentation")


def write(
    corpus: Corpus,
    spec: FeatureSpec,
    out: str | os.PathLike[str],
    shard_size: int = 512,
    **extraction: Any,
) -> dict[str, Any]:
    """Extract a corpus to shards; called again after a kill, it keeps the finished ones.

    Args:
        corpus: what to extract.
        spec: what an observation is.
        out: folder of the shards and of `index.json`, which says what is in them.
        shard_size: utterances per shard.
        **extraction: options of `extraction.extract_corpus`.

    Returns:
        The index: corpus, spec, emotions, and for every shard its file, the utterances in it (path,
        start, end, emotion, speaker, session, instants) and those left out (path, reason).

    Raises:
        ConfigurationError: the shard size is below 1.
        OutputError: the folder cannot be written to.
    """
    if shard_size < 1:
        raise ConfigurationError(f"shard_size: found {shard_size}, expected at least 1")
    folder = output_folder(out)
    starts = range(0, len(corpus), shard_size)
    shards = []
    for number, start in enumerate(starts, start=1):
        part = corpus[start : start + shard_size]
        name = f"{corpus.name}-{number:05d}-of-{len(starts):05d}"
        key = _key(part, spec, extraction)
        shard = _finished(folder, name, key)
        if shard is None:
            # Killed in between, neither may describe a shard that is no longer what it was.
            for stale in (folder / INDEX_FILE, folder / f"{name}.json"):
                stale.unlink(missing_ok=True)
            shard = _write_shard(folder, name, key, part, spec, extraction)
        shards.append(shard)
        print(f"shard {number} of {len(starts)}: {name}", file=sys.stderr, flush=True)
    index = {
        "corpus": corpus.name,
        "spec": spec.to_dict(),
        "emotions": list(corpus.emotions),
        "shards": shards,
    }
    write_json(folder / INDEX_FILE, index)
    _remove_others(folder, corpus.name, {shard["file"] for shard in shards})
    return index


def read_index(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """The index of a folder of shards.

    Raises:
        CorpusError: there is none, or it is damaged.
    """
    path = Path(folder) / INDEX_FILE
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CorpusError(f"{folder}: holds no features, looked for {INDEX_FILE}") from error
    except ValueError as error:
        raise CorpusError(f"{path}: not an index of features ({error})") from error


def dataset(
    folder: str | os.PathLike[str],
    batch_size: int = 256,
    shuffle: bool = False,
    seed: int = 0,
    classes: Sequence[str] | None = None,
    only: Corpus | None = None,
    buffer_size: int = 2048,
) -> tf.data.Dataset:
    """Batches as `pipeline.dataset` gives them, streamed from shards.

    Args:
        folder: what `write` left.
        batch_size: utterances per batch.
        shuffle: shards and, within a buffer, utterances in another order every epoch.
        seed: of the shuffling.
        classes: as for `pipeline.dataset`; None is the order of the corpus' own emotions.
        only: the part to read, such as the training part of a split; None reads all.
        buffer_size: utterances held in memory for shuffling.

    Raises:
        CorpusError: the folder holds no features, or none of that part.
    """
    index = read_index(folder)
    names = list(classes or index["emotions"])
    wanted = None if only is None else {only.utterance_key(utterance) for utterance in only}
    rows = [row for shard in index["shards"] for row in shard["utterances"]]
    chosen = np.array([wanted is None or _place(row) in wanted for row in rows], dtype=bool)
    lengths = [row["instants"] for row, is_chosen in zip(rows, chosen, strict=True) if is_chosen]
    if not lengths:
        raise CorpusError(f"{folder}: holds no utterance of that part")
    labels = np.array(
        [names.index(row["emotion"]) if row["emotion"] in names else -1 for row in rows], np.int32
    )
    if np.any(labels[chosen] < 0):
        raise CorpusError(f"{folder}: has an emotion that is not one of {', '.join(names)}")
    shape = FeatureSpec.from_dict(index["spec"]).observation_shape
    files = [str(Path(folder) / shard["file"]) for shard in index["shards"]]
    offsets = np.cumsum([0, *[len(shard["utterances"]) for shard in index["shards"]][:-1]])
    shards = tf.data.Dataset.from_tensor_slices((files, offsets))
    if shuffle:
        shards = shards.shuffle(len(files), seed=seed, reshuffle_each_iteration=True)

    def numbered(file: tf.Tensor, offset: tf.Tensor) -> tf.data.Dataset:
        return tf.data.TFRecordDataset(file).enumerate(offset)

    def observations(number: tf.Tensor, record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        values = tf.reshape(tf.io.decode_raw(record, tf.float32), (-1, *shape))
        return values, tf.constant(labels)[number]

    elements = (
        shards.interleave(numbered, cycle_length=4 if shuffle else 1)
        .filter(lambda number, _: tf.constant(chosen)[number])
        .map(observations, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    )
    if not shuffle:
        return pipeline.in_order(elements, batch_size)
    elements = elements.shuffle(buffer_size, seed=seed, reshuffle_each_iteration=True)
    return pipeline.in_buckets(elements, lengths, batch_size)


def _write_shard(
    folder: Path,
    name: str,
    key: str,
    part: Corpus,
    spec: FeatureSpec,
    extraction: dict[str, Any],
) -> dict[str, Any]:
    extracted = extract_corpus(part, spec, **extraction)
    # The sound's float32 values as they are: an Example would only wrap the one field.
    target = folder / f"{name}.tfrecord"
    try:
        with replacing(target) as temporary, tf.io.TFRecordWriter(str(temporary)) as writer:
            for values in extracted.observations:
                writer.write(values.astype("<f4").tobytes())
    except tf.errors.OpError as error:
        raise OutputError(f"{target}: cannot be written ({error.message})") from error
    shard = {
        "file": f"{name}.tfrecord",
        "key": key,
        "utterances": [
            {
                "path": part.relative_path(utterance),
                "start": utterance.start,
                "end": utterance.end,
                "emotion": utterance.emotion,
                "speaker": utterance.speaker,
                "session": utterance.session,
                "instants": len(values),
            }
            for utterance, values in zip(extracted.corpus, extracted.observations, strict=True)
        ],
        "left_out": [
            {"path": part.relative_path(utterance), "reason": reason}
            for utterance, reason in [
                *extracted.failed,
                *((short, "shorter than one window") for short in extracted.skipped_short),
            ]
        ],
    }
    write_json(folder / f"{name}.json", shard)
    return shard


def _finished(folder: Path, name: str, key: str) -> dict[str, Any] | None:
    """What a shard holds if an earlier call finished it and would do the same now."""
    try:
        shard = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    same = shard.get("key") == key and (folder / f"{name}.tfrecord").exists()
    return shard if same else None


def _remove_others(folder: Path, corpus: str, files: set[str]) -> None:
    """Shards of an earlier division, which whoever reads all files would hear a second time."""
    for path in folder.glob(f"{glob.escape(corpus)}-*-of-*.tfrecord"):
        if path.name not in files:
            path.unlink()
            path.with_suffix(".json").unlink(missing_ok=True)


def _key(part: Corpus, spec: FeatureSpec, extraction: dict[str, Any]) -> str:
    """Stands for all that a shard and its rows in the index follow from.

    Whether a file has changed is told without reading it: by its place, size and time of change.
    """
    digest = hashlib.sha256(json.dumps(spec.to_dict(), sort_keys=True).encode())
    how = [(name, extraction[name]) for name in DECISIVE if name in extraction]
    digest.update(repr(how).encode())
    for utterance in part:
        try:
            state = utterance.path.stat()
            version = (state.st_size, state.st_mtime_ns)
        except OSError:  # extraction will tell what is wrong with it
            version = None
        known = (utterance.emotion, utterance.speaker, utterance.session)
        digest.update(repr((part.utterance_key(utterance), version, known)).encode())
    return digest.hexdigest()


def _place(row: dict[str, Any]) -> tuple[str, float, float]:
    """The row's utterance as `Corpus.utterance_key` names it."""
    start, end = row["start"], row["end"]
    return row["path"], 0.0 if start is None else start, float("inf") if end is None else end
