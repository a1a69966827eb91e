"""Extraction of a corpus whose sound tensorflow-io decodes in a tf.data graph."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import tensorflow as tf

from ser_keras.errors import AudioError, ConfigurationError
from ser_keras.features import reference
from ser_keras.features.segments import Extracted, Segment, extract_segment
from ser_keras.features.spec import FeatureSpec
from ser_keras.sound import decoding, memory, resampling

# What tensorflow-io decodes: container and coding of the samples to its function, and to the type,
# zero and full scale of the samples that it gives. Anything else is left to libsndfile.
_PCM = {"PCM_16": (tf.int16, 0, 2.0**15), "PCM_24": (tf.int32, 0, 2.0**31)}
_Coding = tuple[str, Any, int, float]
_CODINGS: dict[tuple[str, str], _Coding] = {
    **{("WAV", coding): ("decode_wav", *scale) for coding, scale in _PCM.items()},
    **{("FLAC", coding): ("decode_flac", *scale) for coding, scale in _PCM.items()},
    ("WAV", "PCM_U8"): ("decode_wav", tf.uint8, 128, 128.0),
    ("WAV", "FLOAT"): ("decode_wav", tf.float32, 0, 1.0),
    ("FLAC", "PCM_S8"): ("decode_flac", tf.uint8, 128, 128.0),
    ("OGG", "VORBIS"): ("decode_vorbis", None, 0, 1.0),
    ("MP3", "MPEG_LAYER_III"): ("decode_mp3", None, 0, 1.0),
    ("MPEG", "MPEG_LAYER_III"): ("decode_mp3", None, 0, 1.0),
}

# A segment: its index, its file and the file's frames, its first frame and the one after its last.
_Row = tuple[int, str, int, int, int]


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
    groups: dict[tuple[str, str, int], list[_Row]] = defaultdict(list)
    remaining = set(range(len(segments)))
    for index, segment in enumerate(segments):
        path = str(segment.path)
        try:
            container, coding, rate, _, frames = decoding.inspect(path)
            if frames is None or segment.channel is not None:
                continue
            first, last = decoding.segment_frames(
                path, frames / rate, rate, segment.start, segment.end
            )
        except AudioError:  # told, with its reason, by extract_segment below
            continue
        if (
            last is not None
            and (container, coding) in _CODINGS
            and resampling.is_exact(rate, spec.sample_rate)
        ):
            groups[container, coding, rate].append((index, path, frames, first, last))
    for (container, coding, rate), rows in groups.items():
        dataset = _decode(audio, rows, _CODINGS[container, coding], rate, spec.sample_rate)
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
    audio: Any, rows: list[_Row], coding: _Coding, rate: int, sample_rate: int
) -> tf.data.Dataset:
    """Decode segments of one rate and coding by the module tensorflow_io.audio; resample them.

    Returns:
        Index and float32 [N] of every segment that tensorflow-io can decode.
    """
    name, dtype, zero, full_scale = coding
    options = {} if dtype is None else {"dtype": dtype}

    def load(
        index: tf.Tensor, path: tf.Tensor, frames: tf.Tensor, first: tf.Tensor, last: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        channels = getattr(audio, name)(tf.io.read_file(path), **options)  # [frames, channels]
        mono = tf.reduce_mean((tf.cast(channels, tf.float32) - zero) / full_scale, axis=1)
        tf.debugging.assert_equal(tf.shape(mono, tf.int64)[0], frames)
        tf.debugging.assert_all_finite(mono, "samples are not finite")
        tf.debugging.assert_less_equal(tf.abs(mono), memory.LOUDEST)
        return index, resampling.resample(mono[first:last], rate, sample_rate)

    return (
        tf.data.Dataset.from_tensor_slices(tuple(map(np.array, zip(*rows, strict=True))))
        .map(load, num_parallel_calls=tf.data.AUTOTUNE)
        .ignore_errors()
        .prefetch(tf.data.AUTOTUNE)
    )
