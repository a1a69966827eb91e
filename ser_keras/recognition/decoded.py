"""A recording decoded whole, at a model's rate."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from ser_keras.errors import AudioError
from ser_keras.features.spec import FeatureSpec
from ser_keras.recognition.chunks import ChunkResampler, Windows
from ser_keras.sound import decoding
from ser_keras.sound.level import SILENT_LEVEL, level
from ser_keras.sound.takes import Take

# A longer recording is answered alone, chunk by chunk, in memory that does not grow.
LONGEST = 30.0  # seconds


class Recording(NamedTuple):
    """A recording that is decoded: mono, at the model's rate.

    Example:
        >>> Recording(np.zeros(16000, np.float32), silent=True).silent
        True
    """

    samples: np.ndarray  # float32 [N]
    silent: bool  # whether there is nothing but silence


def decode(take: Take, spec: FeatureSpec) -> Recording | AudioError | None:
    """Decode a recording, or a channel of it, at a specification's rate.

    An error is returned, not raised, and None of a recording longer than `LONGEST`.

    Example:
        >>> decode(Take("nowhere.wav"), model.features).reason
        'cannot be opened (No such file or directory)'
    """
    try:
        return decode_blocks(decoding.mono_blocks(take.file, take.channel), spec, LONGEST)
    except AudioError as error:
        return error


def decode_blocks(
    blocks: Iterable[tuple[np.ndarray, int]], spec: FeatureSpec, longest: float
) -> Recording | None:
    """Join the blocks of a recording at a specification's rate.

    Args:
        blocks: of `decoding.mono_blocks`.
        spec: of the model.
        longest: in seconds; None is returned of a longer one.

    Example:
        >>> from ser_keras.sound import decoding
        >>> len(decode_blocks(decoding.mono_blocks(wav, end=1.0), model.features, 30.0).samples)
        8000
    """
    resampler = ChunkResampler(spec.sample_rate)
    parts, seconds = [], 0.0
    for block, rate in blocks:
        parts.append(resampler.push(block, rate))
        seconds += len(block) / rate
        if seconds > longest:
            return None
    samples = np.concatenate([*parts, resampler.finish()])
    return Recording(samples, _silent(samples, spec))


def _silent(samples: np.ndarray, spec: FeatureSpec) -> bool:
    """Tell whether every window of samples and trailing silence is below `SILENT_LEVEL`."""
    missing = max(0, spec.window_length - len(samples) - spec.trailing_length)
    silence = np.zeros(spec.trailing_length + missing, np.float32)
    windows = Windows(spec)
    return all(
        level(window) < SILENT_LEVEL for part in (samples, silence) for window in windows.push(part)
    )
