"""Extraction of one stretch of a sound file."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ser_keras.errors import AudioError, AudioWarning
from ser_keras.features import reference
from ser_keras.features.augmentation import NONE, Augmentation, vary
from ser_keras.features.cache import Entry
from ser_keras.features.spec import FeatureSpec
from ser_keras.sound import decoding


@dataclass(frozen=True)
class Segment:
    """A stretch of a sound file, from `start` to `end` in seconds; None for the file's own.

    Of its channels, `channel` is wanted, from 0; None for their mean. Of its varied copies, number
    `copy` is wanted; 0 is the sound as it is.

    Example:
        >>> Segment(corpus[0].path, end=1.5).copy
        0
    """

    path: Path
    start: float | None = None
    end: float | None = None
    copy: int = 0
    channel: int | None = None


@dataclass(frozen=True)
class Extracted:
    """The observations of a segment, float32 [T, ...], and its duration in seconds.

    The observations may be an entry of a cache, which is read when they are asked for. Of
    `remarks`, each a path and a reason, its user should know.

    Example:
        >>> Extracted(np.zeros((3, 40), np.float32), duration=4.2).duration
        4.2
    """

    observations: np.ndarray | Entry
    duration: float
    remarks: tuple[tuple[str, str], ...] = ()


def extract_segment(
    segment: Segment, spec: FeatureSpec, augmentation: Augmentation = NONE
) -> Extracted | AudioError:
    """Extract a segment's observations with librosa.

    An error is returned, not raised: one recording must not end a corpus' extraction.

    Example:
        >>> extract_segment(Segment(corpus[0].path, end=1.0), ser.FeatureSpec()).duration
        1.0
    """
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", AudioWarning)
            samples = decoding.load(
                segment.path, spec.sample_rate, segment.start, segment.end, segment.channel
            )
        samples = vary(samples, spec.sample_rate, augmentation, segment.copy)
        observations = reference.extract(samples, spec)
    except AudioError as error:
        return error
    except Exception as error:  # noqa: BLE001 - whatever librosa raises of a strange recording
        return AudioError(segment.path, f"extraction failed ({type(error).__name__}: {error})")
    messages = (warning.message for warning in caught)
    remarks = tuple((m.path, m.reason) for m in messages if isinstance(m, AudioWarning))
    return Extracted(observations, len(samples) / spec.sample_rate, remarks)
