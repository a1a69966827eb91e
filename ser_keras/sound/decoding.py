"""Sound files to samples: decoding by libsndfile, mixing down, resampling by soxr.

A damaged or hostile header may promise anything, so rate, channels and duration are checked before
anything is allocated, and samples are read in blocks: memory grows with what a file holds, not
with what it claims.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import BinaryIO, Union

import numpy as np
import soundfile
import soxr
from numpy.typing import ArrayLike

from ser_keras.errors import AudioError

LOWEST_RATE = 1_000
HIGHEST_RATE = 768_000
MOST_CHANNELS = 64
LONGEST_DURATION = 6 * 3600.0
BLOCK = 1 << 20

# Samples of floats may go beyond full scale. So far beyond, they are other numbers read as sound,
# and before long their power is none that float32 has.
LOUDEST = 1e6

# An MP3 without an index only estimates its length.
LEAST_SHARE = 0.9

# libsndfile corrects the length of a cut WAV or AIFF and mentions it in its log only. Who writes to
# a pipe cannot know the length and claims the largest there is: that is no damage.
CUT_CHUNK = re.compile(r"^\s*(?:data|SSND)\s*: (\d+) \(should be (\d+)\)", re.MULTILINE)
UNKNOWN_LENGTH = 2**31 - 2**16

IN_MEMORY = "sound in memory"  # what errors call what has no name

Source = Union[str, "PathLike[str]", bytes, BinaryIO]


def decode(
    source: Source, start: float | None = None, end: float | None = None
) -> tuple[np.ndarray, int]:
    """Decode a recording in any format that libsndfile reads: WAV, FLAC, MP3, Ogg and more.

    Args:
        source: a path, the bytes of a file, or a binary file object.
        start: seconds into the recording; None for its beginning.
        end: seconds into the recording; None for its end.

    Returns:
        float32 [N, channels], full scale is -1 to 1, and the sample rate in hertz.

    Raises:
        AudioError: missing, empty, truncated, not sound, no samples or such as `check_samples`
            refuses, beyond the limits above, or the part lies outside the recording.
    """
    name = _name(source)
    with _sound(source) as sound:
        rate = sound.samplerate
        first, last = segment_frames(name, sound.frames / rate, rate, start, end)
        sound.seek(first)
        channels = _read(sound, last - first)
    _check_length(name, len(channels), last - first, rate)
    check_samples(name, channels)
    return channels, rate


def check_samples(name: str, samples: np.ndarray) -> None:
    """Make sure that samples may be sound, full scale being 1.

    Raises:
        AudioError: some are NaN, infinite or beyond `LOUDEST`.
    """
    if not np.isfinite(samples).all():
        raise AudioError(name, "holds samples that are not finite (NaN or infinity)")
    most = np.abs(samples).max(initial=0.0)
    if most > LOUDEST:
        raise AudioError(
            name, f"holds a sample of {most:.0e} times full scale, expected at most {LOUDEST:.0e}"
        )


def mono(name: str, samples: ArrayLike) -> np.ndarray:
    """Sound that is in memory, mixed down to the mean of its channels.

    Args:
        name: what an error calls the sound.
        samples: [N] or [N, channels], as many as there are, even none; floats, full scale is -1 to
            1, or int16.

    Returns:
        float32 [N].

    Raises:
        AudioError: samples of another shape or type, or such as `check_samples` refuses.
    """
    samples = np.asarray(samples)
    if samples.ndim not in (1, 2) or (samples.ndim == 2 and not samples.shape[1]):
        raise AudioError(name, f"samples have shape {samples.shape}, expected [N] or [N, channels]")
    if samples.dtype == np.int16:
        samples = samples.astype(np.float32) / 32768.0
    elif not np.issubdtype(samples.dtype, np.floating):
        raise AudioError(name, f"samples are {samples.dtype}, expected floats or int16")
    mixed = samples.mean(axis=1) if samples.ndim == 2 else samples
    mixed = np.ascontiguousarray(mixed, np.float32)
    check_samples(name, mixed)
    return mixed


@dataclass(frozen=True)
class Header:
    """What a recording says of itself.

    Attributes:
        container: libsndfile's word for the file format, such as "WAV".
        coding: libsndfile's word for that of the samples, such as "PCM_16".
        rate: in hertz.
        channels: how many.
        frames: samples of each channel.
    """

    container: str
    coding: str
    rate: int
    channels: int
    frames: int


def inspect(source: Source) -> Header:
    """Read a recording's header without decoding it.

    Raises:
        AudioError: missing, empty, not sound, or beyond the limits above.
    """
    with _sound(source) as sound:
        return Header(sound.format, sound.subtype, sound.samplerate, sound.channels, sound.frames)


def blocks(source: Source, frames: int = 1 << 14) -> Iterator[tuple[np.ndarray, int]]:
    """Decode a recording of any length piece by piece, in constant memory.

    Args:
        source: a path, the bytes of a file, or a binary file object.
        frames: of a piece, at most.

    Yields:
        float32 [N, channels], full scale is -1 to 1, and the sample rate in hertz.

    Raises:
        AudioError: missing, empty, not sound, or beyond the limits of rate and channels; behind the
            last piece, no samples at all or truncated.
    """
    with _sound(source) as sound:
        decoded = 0
        while len(block := sound.read(frames, dtype="float32", always_2d=True)):
            decoded += len(block)
            yield block, sound.samplerate
        _check_length(_name(source), decoded, sound.frames, sound.samplerate)


def load(
    source: Source, sample_rate: int, start: float | None = None, end: float | None = None
) -> np.ndarray:
    """Decode a recording, or a part of it, mix it down to mono and resample it.

    Gives what `librosa.load` gives: the mean of all channels, resampled by soxr in high quality.

    Args:
        source: a path, the bytes of a file, or a binary file object.
        sample_rate: wanted, in hertz.
        start: seconds into the recording; None for its beginning.
        end: seconds into the recording; None for its end.

    Returns:
        float32 [N].

    Raises:
        AudioError: as `decode`, or the part lies outside the recording.
    """
    channels, rate = decode(source, start, end)
    mono = channels.mean(axis=1)
    if rate == sample_rate:
        return mono
    # The length that librosa gives; soxr may round it the other way.
    length = -(-len(mono) * sample_rate // rate)
    resampled = soxr.resample(mono, rate, sample_rate, quality="HQ")
    return np.pad(resampled[:length], (0, max(0, length - len(resampled))))


def segment_frames(
    name: str, duration: float, rate: int, start: float | None, end: float | None
) -> tuple[int, int]:
    """Find the first frame of a part of a recording and the one after its last.

    Args:
        name: of the recording, for the error.
        duration: of the whole recording, in seconds.
        rate: of the recording, in hertz.
        start: of the part, in seconds; None for the recording's beginning.
        end: of the part, in seconds; None for the recording's end.

    Raises:
        AudioError: the part is empty, outside the recording, or longer than the limit.
    """
    begin, finish = start or 0.0, duration if end is None else min(end, duration)
    if start is not None and not 0 <= start < duration:
        raise AudioError(
            name, f"lasts {duration:.3f} s, expected to hold a part from {start:.3f} s"
        )
    if end is not None and end <= begin:
        raise AudioError(name, f"part ends at {end:.3f} s, expected after its start, {begin:.3f} s")
    if finish - begin > LONGEST_DURATION:
        hours, most = (finish - begin) / 3600, LONGEST_DURATION / 3600
        raise AudioError(name, f"lasts {hours:.1f} h, expected at most {most:.0f} h")
    return round(begin * rate), round(finish * rate)


@contextmanager
def _sound(source: Source) -> Iterator[soundfile.SoundFile]:
    """Open a recording that is within the limits; whatever goes wrong inside is an AudioError."""
    name = _name(source)
    try:
        with _open(source, name) as file, soundfile.SoundFile(file) as sound:
            _check_header(sound, name)
            yield sound
    except soundfile.LibsndfileError as error:
        raise AudioError(name, f"not sound that can be read ({error.error_string})") from error
    except OSError as error:
        raise AudioError(name, f"cannot be opened ({error.strerror or error})") from error
    except TypeError as error:  # soundfile's answer to a file called .raw
        raise AudioError(name, f"not sound that can be read ({error})") from error


def _name(source: Source) -> str:
    if isinstance(source, (str, PathLike)):
        return str(source)
    return str(getattr(source, "name", IN_MEMORY))


def _open(source: Source, name: str) -> AbstractContextManager[BinaryIO]:
    """Open what is ours to close; a caller's own file stays open."""
    if isinstance(source, (str, PathLike)):
        path = Path(source)
        if path.is_file() and not path.stat().st_size:
            raise AudioError(name, "is empty")
        return path.open("rb")
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    if not file.read(1):
        raise AudioError(name, "is empty")
    file.seek(-1, io.SEEK_CUR)
    return nullcontext(file)


def _check_length(name: str, decoded: int, promised: int, rate: int) -> None:
    if not decoded:
        raise AudioError(name, "holds no samples")
    if decoded < LEAST_SHARE * promised:
        raise AudioError(
            name,
            f"is truncated: {decoded / rate:.2f} s of {promised / rate:.2f} s could be decoded",
        )


def _check_header(sound: soundfile.SoundFile, name: str) -> None:
    if not LOWEST_RATE <= sound.samplerate <= HIGHEST_RATE:
        raise AudioError(
            name,
            f"sample rate is {sound.samplerate} Hz, expected {LOWEST_RATE} to {HIGHEST_RATE} Hz",
        )
    if sound.channels > MOST_CHANNELS:
        raise AudioError(name, f"has {sound.channels} channels, expected at most {MOST_CHANNELS}")
    cut = CUT_CHUNK.search(sound.extra_info)
    if cut and int(cut[2]) < int(cut[1]) < UNKNOWN_LENGTH:
        raise AudioError(name, f"is truncated: holds {cut[2]} of {cut[1]} bytes of sound")


def _read(sound: soundfile.SoundFile, frames: int) -> np.ndarray:
    """Read up to so many frames: [N, channels]."""
    blocks = []
    while frames > 0:
        block = sound.read(min(frames, BLOCK), dtype="float32", always_2d=True)
        if not len(block):
            break
        blocks.append(block)
        frames -= len(block)
    return np.concatenate(blocks) if blocks else np.empty((0, sound.channels), np.float32)
