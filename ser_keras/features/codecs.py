"""Codecs, telephones and narrower bands, for varied copies."""

from __future__ import annotations

import io
from typing import NamedTuple

import numpy as np
import soundfile
import soxr

TELEPHONE_RATE = 8000  # Hz
LOWEST_RATE = 6000  # Hz; of a narrower band, words are hard to understand
MOST_COMPRESSION = 0.95  # at 1, LAME refuses, and Opus leaves 6 kbit/s


class Codec(NamedTuple):
    """A format of libsndfile, with the rate that sound is resampled to before it.

    Example:
        >>> CODECS["gsm"].sample_rate
        8000
    """

    format: str
    subtype: str
    sample_rate: int
    has_quality: bool  # whether one can ask for fewer or more bits


CODECS = {
    "opus": Codec("OGG", "OPUS", 16000, True),
    "mp3": Codec("MP3", "MPEG_LAYER_III", 16000, True),
    "vorbis": Codec("OGG", "VORBIS", 16000, True),
    "gsm": Codec("WAV", "GSM610", TELEPHONE_RATE, False),
    "µ-law": Codec("WAV", "ULAW", TELEPHONE_RATE, False),
}


def transmit(samples: np.ndarray, sample_rate: int, random: np.random.Generator) -> np.ndarray:
    """Send a recording, float [N], through a codec that is drawn, or leave out its upper band.

    Half of the recordings go through one of `CODECS`; of the others, what is above a frequency that
    is drawn is left out, as it is of all where libsndfile lacks the codec.

    Example:
        >>> noise = np.random.default_rng(0).normal(0.0, 0.1, 16000).astype(np.float32)
        >>> transmit(noise, 16000, np.random.default_rng(0)).shape
        (16000,)
    """
    names = [*CODECS, *[None] * len(CODECS)]
    name = names[random.integers(len(names))]
    compression = random.uniform(0.0, MOST_COMPRESSION)
    rate = random.uniform(LOWEST_RATE, sample_rate)
    if name is not None and soundfile.check_format(*CODECS[name][:2]):
        return encode_and_decode(samples, sample_rate, name, compression)
    narrow = soxr.resample(samples, sample_rate, rate, quality="MQ")
    return _of_length(soxr.resample(narrow, rate, sample_rate, quality="MQ"), len(samples))


def encode_and_decode(
    samples: np.ndarray, sample_rate: int, name: str, compression: float = 0.5
) -> np.ndarray:
    """Return what a codec leaves of a recording, float [N].

    Args:
        samples: what is above full scale is cut off.
        sample_rate: of samples and result; the codec has a rate of its own.
        name: one of `CODECS`.
        compression: from 0, most bits, to 0.95, fewest, for the codecs that have a choice.

    Example:
        >>> tone = np.sin(np.arange(16000) * 0.1).astype(np.float32) / 4
        >>> telephone = encode_and_decode(tone, 16000, "µ-law")
        >>> bool(np.max(np.abs(telephone - tone)[400:-400]) < 0.02)
        True
    """
    codec = CODECS[name]
    resampled = soxr.resample(samples, sample_rate, codec.sample_rate, quality="MQ")
    file = io.BytesIO()
    soundfile.write(
        file,
        np.clip(resampled, -1.0, 1.0),
        codec.sample_rate,
        format=codec.format,
        subtype=codec.subtype,
        compression_level=compression if codec.has_quality else None,
    )
    file.seek(0)
    decoded, rate = soundfile.read(file, dtype="float32")  # Opus may decode at a rate of its own
    return _of_length(soxr.resample(decoded, rate, sample_rate, quality="MQ"), len(samples))


def _of_length(samples: np.ndarray, length: int) -> np.ndarray:
    """Cut off what is more than `length`, or add silence."""
    return np.pad(samples[:length], (0, max(length - len(samples), 0)))
