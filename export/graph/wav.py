"""16-bit PCM WAV read inside a TensorFlow graph.

``tf.audio.decode_wav`` fails on a chunk of odd length, which half of RAVDESS's files have, so the
chunks are walked here. Format: Multimedia Programming Interface and Data Specifications 1.0
(IBM and Microsoft, 1991), with WAVE_FORMAT_EXTENSIBLE of Multiple Channel Audio Data and WAVE
Files (Microsoft, 2001).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from ser_keras.sound.decoding import HIGHEST_RATE, LOWEST_RATE, MOST_CHANNELS

RIFF_HEADER = 12  # "RIFF", size, "WAVE"
CHUNK_HEADER = 8  # four letters, size
FORMAT_CHUNK = 16  # of plain PCM
SUBFORMAT = 24  # where an extensible format chunk names the coding
# Chunks up to the sound; recorders and editors leave a dozen. A file of a thousand times as many
# would keep the graph busy for as long as minutes of sound.
MOST_CHUNKS = 100

PCM = 1
EXTENSIBLE = 0xFFFE
BYTES_PER_SAMPLE = 2
FULL_SCALE = 2.0**15


class Recording(NamedTuple):
    """Where the sound lies in a file, every field int64 []."""

    first_byte: tf.Tensor
    frames: tf.Tensor  # samples of each channel
    channels: tf.Tensor
    rate: tf.Tensor  # hertz


def inspect(contents: tf.Tensor) -> Recording:
    """Read the header of a WAV file.

    Of a truncated recording, or one that was still being written, what is there counts.

    Args:
        contents: string [], the bytes of a file.

    Raises:
        tf.errors.InvalidArgumentError: on running: not WAV, not 16-bit PCM, no samples, a rate or
            a number of channels beyond the limits of `ser_keras.sound.decoding`, or no sound
            among the first `MOST_CHUNKS` chunks.
    """
    size = tf.strings.length(contents)
    is_wav = (_text(contents, 0, 4, size) == "RIFF") & (_text(contents, 8, 4, size) == "WAVE")
    with tf.control_dependencies([_require(is_wav, "audio: not a WAV file", [size])]):
        format_at, data_at, data_size, chunks = _find_chunks(contents, size)
    found = [
        _require(
            (data_at > 0) | (chunks < MOST_CHUNKS),
            f"audio: WAV file without a data chunk among its first {MOST_CHUNKS} chunks",
            [size],
        ),
        _require(format_at > 0, "audio: WAV file without a format chunk", [size]),
        _require(data_at > 0, "audio: WAV file without a data chunk", [size]),
    ]
    with tf.control_dependencies(found):
        coding, channels = _number(contents, format_at, 2), _number(contents, format_at + 2, 2)
        rate, bits = _number(contents, format_at + 4, 4), _number(contents, format_at + 14, 2)
    coding = tf.cond(
        (coding == EXTENSIBLE) & (format_at + SUBFORMAT + 2 <= size),
        lambda: _number(contents, format_at + SUBFORMAT, 2),
        lambda: coding,
    )
    frames = data_size // (BYTES_PER_SAMPLE * tf.maximum(channels, 1))
    checks = [
        _require(
            (coding == PCM) & (bits == 8 * BYTES_PER_SAMPLE),
            "audio: expected 16-bit PCM, found coding and bits",
            [coding, bits],
        ),
        _require(
            (channels >= 1) & (channels <= MOST_CHANNELS),
            f"audio: expected 1 to {MOST_CHANNELS} channels, found",
            [channels],
        ),
        _require(
            (rate >= LOWEST_RATE) & (rate <= HIGHEST_RATE),
            f"audio: expected a sample rate of {LOWEST_RATE} to {HIGHEST_RATE} Hz, found",
            [rate],
        ),
        _require(frames >= 1, "audio: WAV file without samples", [size]),
    ]
    with tf.control_dependencies(checks):
        fields = (data_at, frames, channels, rate)
        return Recording(*(tf.cast(field, tf.int64) for field in fields))


def read(contents: tf.Tensor, recording: Recording, first: tf.Tensor, last: tf.Tensor) -> tf.Tensor:
    """Decode a part of a recording and mix it down.

    Args:
        contents: string [], the bytes of the file.
        recording: what `inspect` found.
        first: int64 [], the first sample wanted; may lie before the recording.
        last: int64 [], the one after the last; may lie after the recording.

    Returns:
        float32 [last - first], full scale is -1 to 1, zero outside of the recording.
    """
    begin = tf.clip_by_value(first, 0, recording.frames)
    end = tf.clip_by_value(last, begin, recording.frames)
    frame_size = BYTES_PER_SAMPLE * recording.channels
    data = tf.strings.substr(
        contents, recording.first_byte + begin * frame_size, (end - begin) * frame_size
    )
    samples = tf.cast(tf.io.decode_raw(data, tf.int16), tf.float32) / FULL_SCALE
    mono = tf.reduce_mean(tf.reshape(samples, [end - begin, recording.channels]), axis=1)
    before = tf.clip_by_value(-first, 0, last - first)
    after = last - first - before - (end - begin)
    return tf.pad(mono, [[before, after]])


def _find_chunks(contents: tf.Tensor, size: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Walk the chunks up to the sound, of which there may be `MOST_CHUNKS`.

    Returns:
        Where the format chunk and the data chunk hold their first byte, 0 where there is none, how
        many bytes of data there are, and how many chunks were seen; int32 [] each.
    """

    def more(
        at: tf.Tensor, format_at: tf.Tensor, data_at: tf.Tensor, _: tf.Tensor, chunks: tf.Tensor
    ) -> tf.Tensor:
        return (data_at == 0) & (at <= size - CHUNK_HEADER) & (chunks < MOST_CHUNKS)

    def step(
        at: tf.Tensor,
        format_at: tf.Tensor,
        data_at: tf.Tensor,
        data_size: tf.Tensor,
        chunks: tf.Tensor,
    ) -> tuple[tf.Tensor, ...]:
        name = tf.strings.substr(contents, at, 4)
        start = at + CHUNK_HEADER
        # A chunk cannot be longer than the file, whatever it claims: this also keeps sums small.
        claimed = _number(contents, at + 4, 4, tf.int64)
        length = tf.cast(tf.minimum(claimed, tf.cast(size - start, tf.int64)), tf.int32)
        is_format = (name == "fmt ") & (length >= FORMAT_CHUNK)
        is_data = name == "data"
        return (
            # Chunks begin at even places; the byte that pads an odd one is not in its length.
            tf.minimum(start + length + length % 2, size),
            tf.where(is_format, start, format_at),
            tf.where(is_data, start, data_at),
            tf.where(is_data, length, data_size),
            chunks + 1,
        )

    nowhere = tf.zeros([], tf.int32)
    state = (tf.minimum(RIFF_HEADER, size), nowhere, nowhere, nowhere, nowhere)
    _, *found = tf.while_loop(more, step, state)
    return tuple(found)


def _text(contents: tf.Tensor, at: int, length: int, size: tf.Tensor) -> tf.Tensor:
    """A piece of a file that may be too short to have it."""
    return tf.strings.substr(contents, tf.minimum(at, size), length)


def _number(
    contents: tf.Tensor, at: tf.Tensor, length: int, dtype: tf.DType = tf.int32
) -> tf.Tensor:
    """An unsigned little-endian number."""
    digits = tf.io.decode_raw(tf.strings.substr(contents, at, length), tf.uint8)
    places = tf.constant([256**place for place in range(length)], tf.int64)
    return tf.cast(tf.reduce_sum(tf.cast(digits, tf.int64) * places), dtype)


def _require(holds: tf.Tensor, message: str, found: list[Any]) -> tf.Operation:
    return tf.debugging.Assert(holds, [message, *found])
