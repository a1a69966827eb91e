"""Decoding to the end, mixing down, and resampling by soxr.

What a recording is, its first bytes tell (`formats`). libsndfile decodes what it can
(`libsndfile`), PyAV, where it is installed, the rest (`pyav`).

A damaged or hostile header may claim anything. So sample rate, channels and duration are checked
before memory is allocated, and samples are read in blocks: memory grows with what a file holds.

Functions raise AudioError for a recording that is missing, empty, truncated, not sound or beyond
the limits below, that holds no samples or some that are NaN, infinite or beyond
`memory.LOUDEST`, for a segment outside of it and a channel that it does not have. They warn
(`AudioWarning`) of one whose header has no length, and of channels that differ or cancel when they
are mixed.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from os import PathLike
from pathlib import Path
from typing import BinaryIO, NamedTuple, Union

import numpy as np
import soundfile
import soxr

from ser_keras.errors import AudioError, warn_of
from ser_keras.sound import formats, memory, pyav
from ser_keras.sound.channels import Mixer
from ser_keras.sound.libsndfile import LibsndfileSound
from ser_keras.sound.pyav import PyAvSound
from ser_keras.sound.views import View

LOWEST_RATE = 1_000
HIGHEST_RATE = 768_000
MOST_CHANNELS = 64
LONGEST_DURATION = 6 * 3600.0
# Frames decoded at once: of a recording that is wanted whole, and of one that is read as a stream.
_BLOCK, _FEW = 1 << 16, 1 << 14

# Of the length that a header states; encoders round it.
_LEAST_SHARE = 0.9

_MALFORMED = 3  # libsndfile's code of a file that contradicts itself

Source = Union[str, "PathLike[str]", bytes, BinaryIO, View]
_Sound = LibsndfileSound | PyAvSound


def decode(
    source: Source, start: float | None = None, end: float | None = None
) -> tuple[np.ndarray, int]:
    """Decode a recording in any format that libsndfile reads, or PyAV where it is installed.

    Args:
        source: a path, the bytes of a file, or a binary file object.
        start: beginning of the segment to decode, in seconds; None for the recording's beginning.
        end: end of the segment, in seconds; None for the recording's end.

    Returns:
        float32 [N, channels], full scale is -1 to 1, and the sample rate in hertz.

    Example:
        >>> samples, rate = decode(wav, start=0.5, end=1.5)
        >>> samples.shape, rate
        ((22050, 1), 22050)
    """
    decoded = list(_decode(source, _BLOCK, start, end, LONGEST_DURATION))
    channels = np.concatenate([block for block, _ in decoded])  # [N, channels]
    memory.check(name_of(source), channels)
    return channels, decoded[0][1]


def load(
    source: Source,
    sample_rate: int,
    start: float | None = None,
    end: float | None = None,
    channel: int | None = None,
) -> np.ndarray:
    """Decode a recording or a segment of it, mix it down to mono and resample it.

    The result is `librosa.load`'s: the mean of all channels, resampled by soxr in high quality.

    Args:
        source: as in `decode`, like start and end.
        sample_rate: that of the result, in hertz.
        start: in seconds.
        end: in seconds.
        channel: the channel to take, from 0; None for the mean of all.

    Returns:
        float32 [N].

    Example:
        >>> load(wav, 16000, end=1.0).shape
        (16000,)
    """
    decoded = list(_decode_mono(source, _BLOCK, channel, start, end, LONGEST_DURATION))
    mono, rate = np.concatenate([block for block, _ in decoded]), decoded[0][1]  # [N]
    if rate == sample_rate:
        return mono
    # The length that librosa gives; soxr may round it the other way.
    length = -(-len(mono) * sample_rate // rate)
    resampled = soxr.resample(mono, rate, sample_rate, quality="HQ")
    return np.pad(resampled[:length], (0, max(0, length - len(resampled))))


def blocks(
    source: Source, frames: int = _FEW, start: float | None = None, end: float | None = None
) -> Iterator[tuple[np.ndarray, int]]:
    """Decode a recording of any length block by block, in constant memory.

    A recording without samples and one that is truncated are refused after the last block.

    Args:
        source: as in `decode`, like start and end.
        frames: length of a block; some may be shorter.
        start: in seconds.
        end: in seconds.

    Yields:
        Samples and sample rate, as from `decode`.

    Example:
        >>> next(blocks(wav, frames=100))[0].shape
        (100, 1)
    """
    yield from _decode(source, frames, start, end)


def mono_blocks(
    source: Source,
    channel: int | None = None,
    start: float | None = None,
    end: float | None = None,
) -> Iterator[tuple[np.ndarray, int]]:
    """Decode a recording of any length as `blocks`, mixed down to [N]; all but resampled as `load`.

    Example:
        >>> next(mono_blocks(wav, end=0.001))[0].shape
        (22,)
    """
    yield from _decode_mono(source, _FEW, channel, start, end)


class Header(NamedTuple):
    """A recording's description of itself; container and coding are the decoder's words.

    Example:
        >>> inspect(wav)
        Header(container='WAV', coding='PCM_16', rate=22050, channels=1, frames=...)
    """

    container: str
    coding: str
    rate: int
    channels: int
    frames: int | None  # None where only decoding tells, as of an MP3 without an index


def inspect(source: Source) -> Header:
    """Read a recording's header without decoding it.

    Example:
        >>> inspect(wav).rate
        22050
    """
    with _open(source) as sound:
        return Header(sound.container, sound.coding, sound.rate, sound.channels, sound.frames)


def segment_frames(
    name: str,
    duration: float,
    rate: int,
    start: float | None,
    end: float | None,
    longest: float = LONGEST_DURATION,
) -> tuple[int, int | None]:
    """Find a segment's first frame and the one after its last.

    Args:
        name: the recording's name in errors.
        duration: the whole recording's, in seconds; infinite where that is not known.
        rate: sample rate in hertz.
        start: in seconds, as in `decode`.
        end: in seconds, as in `decode`.
        longest: segment accepted, in seconds.

    Returns:
        The second is None for the end of a recording whose duration is not known.

    Example:
        >>> segment_frames("a.wav", 3.0, 8000, start=1.0, end=None)
        (8000, 24000)
    """
    begin, finish = start or 0.0, duration if end is None else min(end, duration)
    if start is not None and not 0 <= start < duration:
        raise AudioError(name, f"start: expected 0 to {duration:.3f} s, found {start:.3f} s")
    if end is not None and end <= begin:
        raise AudioError(name, f"end: expected more than {begin:.3f} s, found {end:.3f} s")
    if math.isinf(finish):
        return round(begin * rate), None
    if finish - begin > longest:
        raise _too_long(name, finish - begin, longest)
    return round(begin * rate), round(finish * rate)


def name_of(source: Source) -> str:
    """Return a recording's name in errors.

    Example:
        >>> name_of(b"RIFF")
        'sound in memory'
    """
    if isinstance(source, (str, PathLike)):
        return str(source)
    return str(getattr(source, "name", memory.IN_MEMORY))


def check_format(name: str, form: formats.Format) -> None:
    r"""Refuse a format that is not sound, or that nothing installed decodes.

    Example:
        >>> check_format("a.wav", formats.identify(b"PK\x03\x04"))
        Traceback (most recent call last):
        ser_keras.errors.AudioError: a.wav: expected sound, found a ZIP archive
    """
    if not form.demuxer:
        raise AudioError(name, f"expected sound, found {form.name}")
    if form.needs_pyav and not pyav.is_installed():
        raise AudioError(name, f"expected another format, found {form.name}, {pyav.NEEDED}")


def _decode(
    source: Source,
    size: int,
    start: float | None,
    end: float | None,
    longest: float = float("inf"),
) -> Iterator[tuple[np.ndarray, int]]:
    """Decode a segment in blocks, each with the sample rate; `longest` is in seconds."""
    name = name_of(source)
    with _open(source) as sound:
        rate, frames = sound.rate, sound.frames
        known = float("inf") if frames is None else frames / rate
        first, last = segment_frames(name, known, rate, start, end, longest)
        if sound.remark:
            warn_of(name, sound.remark)
        decoded = 0
        for block in sound.blocks(size, first):
            wanted = block if last is None else block[: last - first - decoded]
            decoded += len(wanted)
            if len(wanted):
                yield wanted, rate
            if last is not None and decoded >= last - first:
                break
            if decoded > longest * rate:
                raise _too_long(name, decoded / rate, longest)
        if not decoded:
            if first:  # beyond the end of a recording whose length was not known
                expected = "expected less than the recording's duration"
                raise AudioError(name, f"start: {expected}, found {start:.3f} s")
            raise AudioError(name, "expected sound, found no samples")
        if frames is not None and last is not None and decoded < _LEAST_SHARE * (last - first):
            seconds = f"{(last - first) / rate:.2f} s of sound, found {decoded / rate:.2f} s"
            raise AudioError(name, f"truncated: expected {seconds}")


def _decode_mono(
    source: Source,
    size: int,
    channel: int | None,
    start: float | None,
    end: float | None,
    longest: float = float("inf"),
) -> Iterator[tuple[np.ndarray, int]]:
    """Decode as `_decode`, mixed down to [N] and checked."""
    name = name_of(source)
    mixer = Mixer(name, channel)
    for block, rate in _decode(source, size, start, end, longest):
        mixed = mixer.mix(block)
        memory.check(name, mixed)
        yield mixed, rate
    mixer.warn()


@contextmanager
def _open(source: Source) -> Iterator[_Sound]:
    """Open a recording within the limits; whatever goes wrong in the block is an AudioError."""
    name = name_of(source)
    try:
        with _open_file(source) as file, _open_decoder(file, name) as sound:
            if not LOWEST_RATE <= sound.rate <= HIGHEST_RATE:
                limits = f"{LOWEST_RATE} to {HIGHEST_RATE} Hz"
                raise AudioError(name, f"sample rate: expected {limits}, found {sound.rate} Hz")
            if sound.channels > MOST_CHANNELS:
                found = f"at most {MOST_CHANNELS}, found {sound.channels}"
                raise AudioError(name, f"channels: expected {found}")
            yield sound
    except soundfile.LibsndfileError as error:
        reason = f"damaged: cannot be decoded to its end ({error.error_string})"
        raise AudioError(name, reason) from error
    except OSError as error:
        raise AudioError(name, f"cannot be opened ({error.strerror or error})") from error


def _open_file(source: Source) -> AbstractContextManager[BinaryIO | View]:
    if isinstance(source, (str, PathLike)):
        return Path(source).open("rb")
    # A caller's own file stays open.
    return nullcontext(io.BytesIO(source) if isinstance(source, bytes) else source)


def _open_decoder(file: BinaryIO | View, name: str) -> _Sound:
    file.seek(0)
    beginning = file.read(formats.ENOUGH)
    if not beginning:
        raise AudioError(name, "expected sound, found an empty file")
    form = formats.identify(beginning)
    if form:
        check_format(name, form)
        if form.needs_pyav:
            return PyAvSound(file, name, form)
    try:
        return LibsndfileSound(file, name, form.name if form else "")
    except soundfile.LibsndfileError as error:
        if form is None:
            reason = f"expected sound, found none ({error.error_string})"
            raise AudioError(name, reason) from error
        # Its codes do not tell damage from codings that it lacks: Speex in an Ogg, G.726 in a WAV.
        # But a file that is truncated is one to FFmpeg, too, and it would not say so.
        is_other = form.demuxer != "mp3" and error.code != _MALFORMED
        if is_other and pyav.is_installed():
            with suppress(AudioError):
                return PyAvSound(file, name, form)
        hint = "" if pyav.is_installed() else f", or of a coding {pyav.NEEDED}"
        reason = f"expected sound, found {form.name} that is damaged ({error.error_string}){hint}"
        raise AudioError(name, reason) from error


def _too_long(name: str, found: float, longest: float) -> AudioError:
    return AudioError(
        name, f"duration: expected at most {longest / 3600:.0f} h, found {found / 3600:.1f} h"
    )
