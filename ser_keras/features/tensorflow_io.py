"""Extraction of a corpus whose sound tensorflow-io decodes in a tf.data graph."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import ModuleType
from typing import Any

import tensorflow as tf

from ser_keras.errors import AudioError, ConfigurationError
from ser_keras.features import reference
from ser_keras.features.segments import Extracted, Segment, extract_segment
from ser_keras.features.spec import FeatureSpec
from ser_keras.sound import decoding, resampling
from ser_keras.sound.decoding import Header

# What tensorflow-io decodes: container and coding of the samples to its function, and to the type,
# zero and full scale of the samples that it gives. Anything else is left to libsndfile.
_PCM = {"PCM_16": (tf.int16, 0, 2.0**15), "PCM_24": (tf.int32, 0, 2.0**31)}
_CODINGS: dict[tuple[str, str], tuple[str, Any, int, float]] = {
    **{("WAV", coding): ("decode_wav", *scale) for coding, scale in _PCM.items()},
    **{("FLAC", coding): ("decode_flac", *scale) for coding, scale in _PCM.items()},
    ("WAV", "PCM_U8"): ("decode_wav", tf.uint8, 128, 128.0),
    ("WAV", "FLOAT"): ("decode_wav", tf.float32, 0, 1.0),
    ("FLAC", "PCM_S8"): ("decode_flac", tf.uint8, 128, 128.0),
    ("OGG", "VORBIS"): ("decode_vorbis", None, 0, 1.0),
    ("MP3", "MPEG_LAYER_III"): ("decode_mp3", None, 0, 1.0),
    ("MPEG", "MPEG_LAYER_III"): ("decode_mp3", None, 0, 1.0),
}


def extract_in_graph(
    segments: Sequence[Segment], spec: FeatureSpec
) -> Iterator[tuple[int, Extracted | AudioError]]:
    """Extract segments that tensorflow-io decodes; yields index and outcome of each, in any order.

    Files of the same rate and coding share a graph. What tensorflow-io cannot decode, or decodes to
    another length than the header has, and what has no small ratio to the rate wanted is decoded
    and resampled as by the decoder "soundfile".

    Raises:
        ConfigurationError: tensorflow-io cannot be used.

    Example:
        >>> spec = ser.FeatureSpec()
        >>> ser.extraction.extract_corpus(corpus, spec, decoder="tensorflow-io", progress=False)
        Traceback (most recent call last):
        ser_keras.errors.ConfigurationError: decoder: expected pip install 'ser-keras[io]' in ...
    """
    audio = _import_tensorflow_io().audio
    groups: dict[tuple[str, str, int], list[tuple[int, Header]]] = defaultdict(list)
    remaining = set(range(len(segments)))
    for index, segment in enumerate(segments):
        try:
            header = decoding.inspect(segment.path)
        except AudioError:  # told, with its reason, by extract_segment below
            continue
        groups[header.container, header.coding, header.rate].append((index, header))
    for (container, coding, rate), members in groups.items():
        if (container, coding) not in _CODINGS or not resampling.is_exact(rate, spec.sample_rate):
            continue
        dataset = _decode(audio, segments, members, spec.sample_rate)
        for index, samples in dataset.as_numpy_iterator():
            remaining.discard(int(index))
            duration = len(samples) / spec.sample_rate
            yield int(index), Extracted(reference.extract(samples, spec), duration)
    for index in sorted(remaining):
        yield index, extract_segment(segments[index], spec)


def _import_tensorflow_io() -> ModuleType:
    try:
        import tensorflow_io

        # Its native operations are loaded when they are first looked up.
        tensorflow_io.audio.decode_wav(tf.constant(b""), dtype=tf.int16)
    except tf.errors.OpError:
        return tensorflow_io
    except (ImportError, NotImplementedError, AttributeError) as error:
        raise ConfigurationError(
            "decoder: expected pip install 'ser-keras[io]' in an environment of its own, since "
            "tensorflow-io fits TensorFlow 2.16 and 2.17 alone; "
            f"found TensorFlow {tf.__version__} without it"
        ) from error
    return tensorflow_io


def _decode(
    audio: Any, segments: Sequence[Segment], members: list[tuple[int, Header]], sample_rate: int
) -> tf.data.Dataset:
    """Decode and resample files of one rate and coding.

    Args:
        audio: the module tensorflow_io.audio.
        segments: of the whole corpus.
        members: index of each segment to decode, and its file's header.
        sample_rate: wanted, in hertz.

    Returns:
        Index and float32 [N] of every segment that tensorflow-io can decode.
    """
    _, common = members[0]
    name, dtype, zero, full_scale = _CODINGS[common.container, common.coding]
    decode: Callable[..., tf.Tensor] = getattr(audio, name)
    if dtype is not None:
        decode = partial(decode, dtype=dtype)
    rows = []
    for index, header in members:
        segment = segments[index]
        path, seconds = str(segment.path), header.frames / header.rate
        try:
            first, last = decoding.segment_frames(
                path, seconds, header.rate, segment.start, segment.end
            )
        except AudioError:  # told, with its reason, by extract_segment
            continue
        rows.append((index, path, header.frames, first, last))

    def load(
        index: tf.Tensor, path: tf.Tensor, frames: tf.Tensor, first: tf.Tensor, last: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        channels = decode(tf.io.read_file(path))  # [frames, channels]
        mono = tf.reduce_mean((tf.cast(channels, tf.float32) - zero) / full_scale, axis=1)
        tf.debugging.assert_equal(tf.shape(mono, tf.int64)[0], frames)
        tf.debugging.assert_all_finite(mono, "samples are not finite")
        tf.debugging.assert_less_equal(tf.abs(mono), decoding.LOUDEST)
        return index, resampling.resample(mono[first:last], common.rate, sample_rate)

    dtypes = (tf.int64, tf.string, tf.int64, tf.int64, tf.int64)
    columns = tuple(
        tf.constant([row[column] for row in rows], dtype) for column, dtype in enumerate(dtypes)
    )
    return (
        tf.data.Dataset.from_tensor_slices(columns)
        .map(load, num_parallel_calls=tf.data.AUTOTUNE)
        .ignore_errors()
        .prefetch(tf.data.AUTOTUNE)
    )
