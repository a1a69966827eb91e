"""Decoding by libsndfile, mixing down, and resampling by soxr.

A damaged or hostile header may claim anything. So sample rate, channels and duration are checked
before memory is allocated, and samples are read in blocks: memory grows with what a file holds.

Functions raise AudioError for a recording that is missing, empty, truncated, not sound or beyond
the limits below, that holds no samples or some that are NaN, infinite or beyond `LOUDEST`, and for
a segment outside of it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from os import PathLike
from pathlib import Path
from typing import BinaryIO, NamedTuple, Union

import numpy as np
import soundfile
import soxr
from numpy.typing import ArrayLike

from ser_keras.errors import AudioError

LOWEST_RATE = 1_000
HIGHEST_RATE = 768_000
MOST_CHANNELS = 64
LONGEST_DURATION = 6 * 3600.0
_BLOCK = 1 << 20  # frames

# Floats may exceed full scale. So far beyond it, they are other numbers read as sound, and their
# power soon overflows float32.
LOUDEST = 1e6

# An MP3 without an index only estimates its length.
_LEAST_SHARE = 0.9

# libsndfile corrects the length of a truncated WAV or AIFF and mentions it in its log alone. A
# writer to a pipe cannot know the length and claims the largest there is: that is no damage.
_TRUNCATED = re.compile(r"^\s*(?:data|SSND)\s*: (\d+) \(should be (\d+)\)", re.MULTILINE)
UNKNOWN_LENGTH = 2**31 - 2**16

IN_MEMORY = "sound in memory"  # the name, in errors, of sound that has none

Source = Union[str, "PathLike[str]", bytes, BinaryIO]


def decode(
    source: Source, start: float | None = None, end: float | None = None
) -> tuple[np.ndarray, int]:
    """Decode a recording in any format that libsndfile reads: WAV, FLAC, MP3, Ogg and more.

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
    name = _name(source)
    with _open_sound(source) as sound:
        rate = sound.samplerate
        first, last = segment_frames(name, sound.frames / rate, rate, start, end)
        sound.seek(first)
        blocks = list(_read(sound, _BLOCK, last - first))
    _check_length(name, sum(map(len, blocks)), last - first, rate)
    channels = np.concatenate(blocks)  # [N, channels]
    _check_samples(name, channels)
    return channels, rate


def load(
    source: Source, sample_rate: int, start: float | None = None, end: float | None = None
) -> np.ndarray:
    """Decode a recording or a segment of it, mix it down to mono and resample it.

    The result is `librosa.load`'s: the mean of all channels, resampled by soxr in high quality.

    Args:
        source: as in `decode`, like start and end.
        sample_rate: that of the result, in hertz.
        start: in seconds.
        end: in seconds.

    Returns:
        float32 [N].

    Example:
        >>> load(wav, 16000, end=1.0).shape
        (16000,)
    """
    channels, rate = decode(source, start, end)
    mono = channels.mean(axis=1)  # [N, channels] -> [N]
    if rate == sample_rate:
        return mono
    # The length that librosa gives; soxr may round it the other way.
    length = -(-len(mono) * sample_rate // rate)
    resampled = soxr.resample(mono, rate, sample_rate, quality="HQ")
    return np.pad(resampled[:length], (0, max(0, length - len(resampled))))


def blocks(source: Source, frames: int = 1 << 14) -> Iterator[tuple[np.ndarray, int]]:
    """Decode a recording of any length block by block, in constant memory.

    A recording without samples and one that is truncated are refused after the last block.

    Args:
        source: as in `decode`.
        frames: length of a block; the last may be shorter.

    Yields:
        Samples and sample rate, as from `decode`.

    Example:
        >>> next(blocks(wav, frames=100))[0].shape
        (100, 1)
    """
    with _open_sound(source) as sound:
        decoded = 0
        for block in _read(sound, frames):
            decoded += len(block)
            yield block, sound.samplerate
        _check_length(_name(source), decoded, sound.frames, sound.samplerate)


class Header(NamedTuple):
    """A recording's description of itself; container and coding are libsndfile's words.

    Example:
        >>> inspect(wav)
        Header(container='WAV', coding='PCM_16', rate=22050, channels=1, frames=...)
    """

    container: str
    coding: str
    rate: int
    channels: int
    frames: int


def inspect(source: Source) -> Header:
    """Read a recording's header without decoding it.

    Example:
        >>> inspect(wav).rate
        22050
    """
    with _open_sound(source) as sound:
        return Header(sound.format, sound.subtype, sound.samplerate, sound.channels, sound.frames)


def mono(name: str, samples: ArrayLike) -> np.ndarray:
    """Mix sound in memory down to the mean of its channels.

    Args:
        name: the sound's name in errors.
        samples: [N] or [N, channels], N may be 0; floats, full scale is -1 to 1, or int16.

    Returns:
        float32 [N].

    Example:
        >>> mono("stereo", np.array([[0, 16384], [-16384, -16384]], np.int16))
        array([ 0.25, -0.5 ], dtype=float32)
    """
    samples = np.asarray(samples)
    if samples.ndim not in (1, 2) or (samples.ndim == 2 and not samples.shape[1]):
        raise AudioError(name, f"expected samples [N] or [N, channels], found {samples.shape}")
    if samples.dtype == np.int16:
        samples = samples.astype(np.float32) / 32768.0
    elif not np.issubdtype(samples.dtype, np.floating):
        raise AudioError(name, f"expected floats or int16, found {samples.dtype}")
    mixed = samples.mean(axis=1) if samples.ndim == 2 else samples
    mixed = np.ascontiguousarray(mixed, np.float32)
    _check_samples(name, mixed)
    return mixed


def segment_frames(
    name: str, duration: float, rate: int, start: float | None, end: float | None
) -> tuple[int, int]:
    """Find a segment's first frame and the one after its last.

    Args:
        name: the recording's name in errors.
        duration: the whole recording's, in seconds.
        rate: sample rate in hertz.
        start: in seconds, as in `decode`.
        end: in seconds, as in `decode`.

    Example:
        >>> segment_frames("a.wav", 3.0, 8000, start=1.0, end=None)
        (8000, 24000)
    """
    begin, finish = start or 0.0, duration if end is None else min(end, duration)
    if start is not None and not 0 <= start < duration:
        raise AudioError(name, f"start: expected 0 to {duration:.3f} s, found {start:.3f} s")
    if end is not None and end <= begin:
        raise AudioError(name, f"end: expected more than {begin:.3f} s, found {end:.3f} s")
    if finish - begin > LONGEST_DURATION:
        hours, most = (finish - begin) / 3600, LONGEST_DURATION / 3600
        raise AudioError(name, f"duration: expected at most {most:.0f} h, found {hours:.1f} h")
    return round(begin * rate), round(finish * rate)


@contextmanager
def _open_sound(source: Source) -> Iterator[soundfile.SoundFile]:
    """Open a recording within the limits; whatever goes wrong in the block is an AudioError."""
    name = _name(source)
    try:
        with _open_file(source, name) as file, soundfile.SoundFile(file) as sound:
            _check_header(sound, name)
            yield sound
    except soundfile.LibsndfileError as error:
        raise AudioError(name, f"expected sound, found none ({error.error_string})") from error
    except OSError as error:
        raise AudioError(name, f"cannot be opened ({error.strerror or error})") from error
    except TypeError as error:  # soundfile's answer to a file called .raw
        raise AudioError(name, f"expected sound, found none ({error})") from error


def _name(source: Source) -> str:
    if isinstance(source, (str, PathLike)):
        return str(source)
    return str(getattr(source, "name", IN_MEMORY))


def _open_file(source: Source, name: str) -> AbstractContextManager[BinaryIO]:
    if isinstance(source, (str, PathLike)):
        path = Path(source)
        if path.is_file() and not path.stat().st_size:
            raise AudioError(name, "expected sound, found an empty file")
        return path.open("rb")
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    if not file.read(1):
        raise AudioError(name, "expected sound, found an empty file")
    file.seek(-1, io.SEEK_CUR)
    return nullcontext(file)  # a caller's own file stays open


def _check_header(sound: soundfile.SoundFile, name: str) -> None:
    if not LOWEST_RATE <= sound.samplerate <= HIGHEST_RATE:
        limits = f"{LOWEST_RATE} to {HIGHEST_RATE} Hz"
        raise AudioError(name, f"sample rate: expected {limits}, found {sound.samplerate} Hz")
    if sound.channels > MOST_CHANNELS:
        raise AudioError(
            name, f"channels: expected at most {MOST_CHANNELS}, found {sound.channels}"
        )
    cut = _TRUNCATED.search(sound.extra_info)
    if cut and int(cut[2]) < int(cut[1]) < UNKNOWN_LENGTH:
        raise AudioError(name, f"truncated: expected {cut[1]} bytes of sound, found {cut[2]}")


def _read(
    sound: soundfile.SoundFile, size: int, frames: float = float("inf")
) -> Iterator[np.ndarray]:
    """Read up to so many frames in blocks of a size: [N, channels] each."""
    while len(block := sound.read(int(min(size, frames)), dtype="float32", always_2d=True)):
        frames -= len(block)
        yield block


def _check_length(name: str, decoded: int, promised: int, rate: int) -> None:
    if not decoded:
        raise AudioError(name, "expected sound, found no samples")
    if decoded < _LEAST_SHARE * promised:
        seconds = f"{promised / rate:.2f} s of sound, found {decoded / rate:.2f} s"
        raise AudioError(name, f"truncated: expected {seconds}")


def _check_samples(name: str, samples: np.ndarray) -> None:
    if not np.isfinite(samples).all():
        raise AudioError(name, "expected finite samples, found NaN or infinity")
    peak = np.abs(samples).max(initial=0.0)
    if peak > LOUDEST:
        raise AudioError(
            name, f"expected samples of at most {LOUDEST:.0e}, found {peak:.0e} times full scale"
        )
