"""16-bit PCM WAV read inside a TensorFlow graph.

``tf.audio.decode_wav`` fails on a chunk of odd length, which half of RAVDESS's files have, so the
chunks are walked here. Format: Multimedia Programming Interface and Data Specifications 1.0
(IBM and Microsoft, 1991), with WAVE_FORMAT_EXTENSIBLE of Multiple Channel Audio Data and WAVE
Files (Microsoft, 2001).
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from ser_keras.sound.decoding import HIGHEST_RATE, LOWEST_RATE, MOST_CHANNELS

# Chunks up to the sound; recorders and editors leave a dozen. A file of a thousand times as many
# would keep the graph busy for as long as minutes of sound.
MOST_CHUNKS = 100

_RIFF_HEADER = 12  # bytes: "RIFF", size, "WAVE"
_CHUNK_HEADER = 8  # four letters, size
_FORMAT_CHUNK = 16  # of plain PCM
_SUBFORMAT = 24  # where an extensible format chunk names the coding
_PCM, _EXTENSIBLE = 1, 0xFFFE
_BYTES_PER_SAMPLE = 2


class Recording(NamedTuple):
    """The position and format of the sound in a file, every field but the last int64 [].

    Example:
        >>> Recording(first_byte=44, frames=8000, channels=1, rate=16_000, problem="").frames
        8000
    """

    first_byte: tf.Tensor
    frames: tf.Tensor  # samples of each channel
    channels: tf.Tensor
    rate: tf.Tensor  # hertz
    problem: tf.Tensor  # string [], why the file cannot be used; "" where it can


def inspect(contents: tf.Tensor) -> Recording:
    """Read the header of a WAV file.

    A recording that was cut short, or whose writer left its length out, ends where its bytes end. A
    file that cannot be used has no samples, of one channel at the lowest rate, and its `problem`:
    an error would take with it all other files of the batch.

    Args:
        contents: string [], the bytes of a file, to be 16-bit PCM within the limits of
            `ser_keras.sound.decoding` and `MOST_CHUNKS`.

    Example:
        >>> int(inspect(tf.io.read_file(wav)).rate)
        22050
        >>> inspect(tf.constant("words")).problem.numpy()
        b'audio: expected a WAV file, found another format'
    """
    size = tf.cast(tf.strings.length(contents), tf.int64)
    header = tf.strings.substr(contents, 0, _RIFF_HEADER)
    is_wav = tf.strings.regex_full_match(header, r"RIFF\C{4}WAVE")  # \C: any byte
    format_at, data_at, data_size, chunks = _find_chunks(contents, size)
    coding = _number(contents, format_at, 2)
    coding = tf.cond(
        (coding == _EXTENSIBLE) & (format_at + _SUBFORMAT + 2 <= size),
        lambda: _number(contents, format_at + _SUBFORMAT, 2),
        lambda: coding,
    )
    channels, rate = _number(contents, format_at + 2, 2), _number(contents, format_at + 4, 4)
    bits = _number(contents, format_at + 14, 2)
    frames = data_size // (_BYTES_PER_SAMPLE * tf.maximum(channels, 1))
    searched = (data_at > 0) | (chunks < MOST_CHUNKS)
    is_pcm = (coding == _PCM) & (bits == 8 * _BYTES_PER_SAMPLE)
    found_coding = tf.strings.format("coding {} of {} bits", (coding, bits))
    some_channels = (channels >= 1) & (channels <= MOST_CHANNELS)
    known_rate = (rate >= LOWEST_RATE) & (rate <= HIGHEST_RATE)
    # The first that does not hold is the problem; the values of those behind it mean nothing then.
    requirements = [
        (is_wav, "a WAV file", "another format"),
        (searched, f"a data chunk among the first {MOST_CHUNKS} chunks", "none"),
        (format_at > 0, "a format chunk", "none"),
        (data_at > 0, "a data chunk", "none"),
        (is_pcm, "16-bit PCM", found_coding),
        (some_channels, f"1 to {MOST_CHANNELS} channels", tf.strings.as_string(channels)),
        (
            known_rate,
            f"a sample rate of {LOWEST_RATE} to {HIGHEST_RATE} Hz",
            tf.strings.as_string(rate),
        ),
        (frames >= 1, "samples", "none"),
    ]
    problem = tf.constant("")
    for holds, expected, found in reversed(requirements):
        message = tf.strings.join([f"audio: expected {expected}, found ", found])
        problem = tf.where(holds, problem, message)
    fields = tf.stack([data_at, frames, channels, rate])
    nothing = tf.constant([0, 0, 1, LOWEST_RATE], tf.int64)
    first_byte, frames, channels, rate = tf.unstack(tf.where(problem == "", fields, nothing))
    return Recording(first_byte, frames, channels, rate, problem)


def read(contents: tf.Tensor, recording: Recording, first: tf.Tensor, last: tf.Tensor) -> tf.Tensor:
    """Decode a segment of a recording and mix it down.

    Args:
        contents: string [], the bytes of the file.
        recording: the result of `inspect`.
        first: int64 [], the first sample wanted.
        last: int64 [], the one after the last.

    Returns:
        float32 [last - first], full scale is -1 to 1, zero outside of the recording.

    Example:
        >>> contents = tf.io.read_file(wav)
        >>> float(read(contents, inspect(contents), np.int64(-1), np.int64(7))[0])
        0.0
    """
    begin = tf.clip_by_value(first, 0, recording.frames)
    end = tf.clip_by_value(last, begin, recording.frames)
    frame_size = _BYTES_PER_SAMPLE * recording.channels
    data = tf.strings.substr(
        contents, recording.first_byte + begin * frame_size, (end - begin) * frame_size
    )
    samples = tf.cast(tf.io.decode_raw(data, tf.int16), tf.float32) / 2.0**15
    channels = tf.reshape(samples, [end - begin, recording.channels])  # interleaved in the file
    mono = tf.reduce_mean(channels, axis=1)  # [end - begin]
    before = tf.clip_by_value(-first, 0, last - first)
    after = last - first - before - (end - begin)
    return tf.pad(mono, [[before, after]])


def _find_chunks(contents: tf.Tensor, size: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Walk at most `MOST_CHUNKS` chunks, up to the sound.

    Returns offsets of the format chunk's and the data chunk's contents, 0 where there is none; the
    size of the data in bytes; and the number of chunks seen; int64 [] each.
    """

    def more(at: tf.Tensor, *found: tf.Tensor) -> tf.Tensor:
        _, data_at, _, chunks = found
        return (data_at == 0) & (at <= size - _CHUNK_HEADER) & (chunks < MOST_CHUNKS)

    def step(at: tf.Tensor, *found: tf.Tensor) -> tuple[tf.Tensor, ...]:
        format_at, data_at, data_size, chunks = found
        name = tf.strings.substr(contents, at, 4)
        start = at + _CHUNK_HEADER
        claimed, is_data = _number(contents, at + 4, 4), name == "data"
        # A recorder that crashed leaves a length of 0 before its sound.
        is_unfinished = is_data & (claimed == 0) & ~_is_chunk(contents, start, size)
        # A chunk ends with the file, whatever size it claims.
        length = tf.where(is_unfinished, size - start, tf.minimum(claimed, size - start))
        is_format = (name == "fmt ") & (length >= _FORMAT_CHUNK)
        return (
            # Chunks begin at even offsets; the byte that pads an odd one is not in its length.
            start + length + length % 2,
            tf.where(is_format, start, format_at),
            tf.where(is_data, start, data_at),
            tf.where(is_data, length, data_size),
            chunks + 1,
        )

    none = tf.zeros([], tf.int64)
    return tuple(tf.while_loop(more, step, (none + _RIFF_HEADER, none, none, none, none))[1:])


def _is_chunk(contents: tf.Tensor, at: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """As `ser_keras.sound.wav_header.is_chunk`, of the bytes from an offset on; bool []."""
    inside = tf.minimum(at, size - _CHUNK_HEADER)
    has_name = tf.strings.regex_full_match(tf.strings.substr(contents, inside, 4), "[ -~]{4}")
    length = _CHUNK_HEADER + _number(contents, inside + 4, 4)
    return (at == inside) & has_name & (length <= size - inside)


def _number(contents: tf.Tensor, at: tf.Tensor, length: int) -> tf.Tensor:
    """Read an unsigned little-endian number, int64 []; bytes behind the end count as 0.

    `tf.io.decode_raw` has no uint32.
    """
    inside = tf.minimum(at, tf.cast(tf.strings.length(contents), tf.int64))
    found = tf.strings.join([tf.strings.substr(contents, inside, length), "\0" * length])
    digits = tf.io.decode_raw(tf.strings.substr(found, 0, length), tf.uint8)  # [length]
    return tf.reduce_sum(tf.cast(digits, tf.int64) * [256**byte for byte in range(length)])
