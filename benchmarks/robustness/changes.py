"""Changes of a recording: the same speech, recorded, stored or cut otherwise."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import librosa
import numpy as np
import soundfile
import soxr

Sound = tuple[np.ndarray, int]  # float32 [N], mono, and its rate in hertz

# At either end of a recording, frames so far below the loudest one are silence.
SILENCE_DB = 35
# Share of the silence at either end that is cut off.
CUT_SHARE = 0.9
# Seconds of silence that are put before a recording and behind it.
PAUSE = 1.0
# Seconds of silence before a recording: quarters of the distance of two patches.
LATER = (0.128, 0.256, 0.384)
# Constant that cheap converters add, as a share of full scale.
OFFSET = 0.005


@dataclass(frozen=True)
class Change:
    """A change of recordings.

    Attributes:
        title: its row's title in the table.
        apply: turns samples and rate into changed ones.
    """

    title: str
    apply: Callable[[np.ndarray, int], Sound]


def _resampled(rate: int) -> Callable[[np.ndarray, int], Sound]:
    return lambda samples, given: (soxr.resample(samples, given, rate, quality="HQ"), rate)


def _cut(samples: np.ndarray, rate: int) -> Sound:
    _, (begin, end) = librosa.effects.trim(samples, top_db=SILENCE_DB)
    last = len(samples) - round(CUT_SHARE * (len(samples) - end))
    return samples[round(CUT_SHARE * begin) : last], rate


def _later(seconds: float) -> Callable[[np.ndarray, int], Sound]:
    return lambda samples, rate: (np.pad(samples, (round(seconds * rate), 0)), rate)


def _between_pauses(samples: np.ndarray, rate: int) -> Sound:
    return np.pad(samples, round(PAUSE * rate)), rate


def _noisy(samples: np.ndarray, rate: int) -> Sound:
    """Add white noise 20 dB below the root mean square of the whole recording."""
    level = 0.1 * np.sqrt(np.mean(np.square(samples)))
    return samples + level * np.random.default_rng(0).standard_normal(len(samples)), rate


def _opus(samples: np.ndarray, rate: int) -> Sound:
    """Encode at 24 kHz and 32 kbit/s (libsndfile: from 6 to 256), and decode."""
    resampled = soxr.resample(samples, rate, 24000, quality="HQ")
    return _coded(resampled, 24000, "OGG", "OPUS", (256 - 32) / (256 - 6))


def _mp3(samples: np.ndarray, rate: int) -> Sound:
    """Encode at 22.05 kHz and 64 kbit/s (libsndfile: from 8 to 160), and decode."""
    resampled = soxr.resample(samples, rate, 22050, quality="HQ")
    return _coded(resampled, 22050, "MP3", "MPEG_LAYER_III", (160 - 64) / (160 - 8))


def _coded(samples: np.ndarray, rate: int, kind: str, subtype: str, compression: float) -> Sound:
    file = io.BytesIO()
    soundfile.write(
        file,
        samples,
        rate,
        format=kind,
        subtype=subtype,
        compression_level=compression,
        bitrate_mode="CONSTANT" if kind == "MP3" else None,
    )
    file.seek(0)
    return soundfile.read(file, dtype="float32")


UNCHANGED = "as-it-is"

CHANGES: dict[str, Change] = {
    UNCHANGED: Change("as they are", lambda samples, rate: (samples, rate)),
    "half": Change("at half the level", lambda samples, rate: (samples / 2, rate)),
    "tenth": Change("at a tenth of the level", lambda samples, rate: (samples / 10, rate)),
    "16-khz": Change("resampled to 16 kHz", _resampled(16000)),
    "8-khz": Change("resampled to 8 kHz", _resampled(8000)),
    "opus": Change("as Opus, 32 kbit/s", _opus),
    "mp3": Change("as MP3, 64 kbit/s", _mp3),
    "noise": Change("with white noise, 20 dB below", _noisy),
    "offset": Change(
        f"with a constant of {OFFSET:.1%} of full scale",
        lambda samples, rate: (samples + OFFSET, rate),
    ),
    "cut": Change("without nine tenths of the silence at both ends", _cut),
    **{
        f"later-{seconds}": Change(f"beginning {seconds} s later", _later(seconds))
        for seconds in LATER
    },
    "pauses": Change("with a second of silence before and behind", _between_pauses),
}

# The same sound, its patches cut at other points.
BEGINNINGS = (UNCHANGED, *(f"later-{seconds}" for seconds in LATER))


def as_stored(samples: np.ndarray, rate: int) -> bytes:
    """Encode as a WAV file of 16 bits a sample, as most recordings are stored."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype="PCM_16")
    return file.getvalue()
