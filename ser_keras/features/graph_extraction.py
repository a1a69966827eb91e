"""Extraction of a corpus in this process where tensorflow-io decodes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy as np
import tensorflow as tf

from ser_keras.errors import AudioError
from ser_keras.features import reference, tensorflow_io
from ser_keras.features.spec import FeatureSpec
from ser_keras.features.workers import Extracted, Segment
from ser_keras.sound import decoding
from ser_keras.sound.decoding import Header

Waveforms = Iterator[tuple[int, "np.ndarray | AudioError"]]


def extract_in_graph(
    parts: Sequence[Segment], spec: FeatureSpec
) -> Iterator[tuple[int, Extracted | AudioError]]:
    """Extract segments decoded by tensorflow-io; yields index and outcome of each, in any order.

    Raises:
        ConfigurationError: tensorflow-io cannot be used.
    """
    for index, waveform in load_by_tensorflow_io(parts, spec.sample_rate):
        if isinstance(waveform, AudioError):
            yield index, waveform
        else:
            duration = len(waveform) / spec.sample_rate
            yield index, Extracted(reference.extract(waveform, spec), duration)


def load_by_tensorflow_io(parts: Sequence[Segment], sample_rate: int) -> Waveforms:
    """Decode and resample parts in a tf.data graph; yields index and float32 [N] of each.

    Files of the same rate and coding share a graph. A file that tensorflow-io cannot decode, or
    decodes to another length than its header has, is decoded by libsndfile instead; the resampling
    is the same.

    Raises:
        ConfigurationError: tensorflow-io cannot be used.
    """
    tensorflow_io.import_tensorflow_io()
    groups: dict[tuple[str, str, int], list[tuple[int, Header]]] = defaultdict(list)
    for index, part in enumerate(parts):
        try:
            header = decoding.inspect(part.path)
        except AudioError as error:
            yield index, error
        else:
            groups[header.container, header.coding, header.rate].append((index, header))
    for members in groups.values():
        remaining = {index for index, _ in members}
        for index, waveform in _decode_group(parts, members, sample_rate):
            remaining.discard(index)
            yield index, waveform
        for index in sorted(remaining):
            yield index, _fall_back(parts[index], sample_rate)


def _decode_group(
    parts: Sequence[Segment], members: list[tuple[int, Header]], sample_rate: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Decode files of one rate and coding; yields those that tensorflow-io can decode."""
    common = members[0][1]
    if not tensorflow_io.can_decode(common):
        return
    rows = []
    for index, header in members:
        part = parts[index]
        try:
            first, last = decoding.segment_frames(
                str(part.path), header.frames / header.rate, header.rate, part.start, part.end
            )
        except AudioError:  # the fallback fails of the same and tells
            continue
        rows.append((index, str(part.path), header.frames, first, last))
    if not rows:
        return

    def waveform(
        index: tf.Tensor, path: tf.Tensor, frames: tf.Tensor, first: tf.Tensor, last: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        mono = tensorflow_io.decode(tf.io.read_file(path), common)
        tf.debugging.assert_equal(tf.shape(mono, tf.int64)[0], frames)
        tf.debugging.assert_all_finite(mono, "samples are not finite")
        tf.debugging.assert_less_equal(tf.abs(mono), decoding.LOUDEST)
        return index, tensorflow_io.resample(mono[first:last], common.rate, sample_rate)

    columns = tuple(tf.constant(column) for column in zip(*rows, strict=True))
    index, path, *numbers = columns
    numbers = [tf.cast(column, tf.int64) for column in numbers]
    dataset = (
        tf.data.Dataset.from_tensor_slices((index, path, *numbers))
        .map(waveform, num_parallel_calls=tf.data.AUTOTUNE)
        .ignore_errors()
        .prefetch(tf.data.AUTOTUNE)
    )
    for number, samples in dataset.as_numpy_iterator():
        yield int(number), samples


def _fall_back(part: Segment, sample_rate: int) -> np.ndarray | AudioError:
    """Decode by libsndfile what tensorflow-io could not, and resample it as the graph does."""
    try:
        channels, rate = decoding.decode(part.path, part.start, part.end)
    except AudioError as error:
        return error
    return _resampler(rate, sample_rate)(channels.mean(axis=1)).numpy()


@lru_cache(maxsize=16)
def _resampler(from_rate: int, to_rate: int) -> Callable[[np.ndarray], tf.Tensor]:
    return tf.function(
        lambda waveform: tensorflow_io.resample(waveform, from_rate, to_rate),
        input_signature=[tf.TensorSpec([None], tf.float32)],
    )
