"""Sound in memory: checked, and mixed down.

Functions raise AudioError for samples of another kind or shape, and for numbers that are no sound.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ser_keras.errors import AudioError
from ser_keras.sound.channels import Mixer

IN_MEMORY = "sound in memory"  # the name, in errors, of sound that has none

# Floats may exceed full scale. So far beyond it, they are other numbers read as sound, and their
# power soon overflows float32.
LOUDEST = 1e6

# Samples and channels are told apart by their number: a chunk that has more channels than samples
# has no more of them than this.
_CHANNELS_OF_A_CHUNK = 8


def mono(
    name: str, samples: ArrayLike, channel: int | None = None, is_chunk: bool = False
) -> np.ndarray:
    """Mix sound in memory down to the mean of its channels, or take one of them.

    Args:
        name: the sound's name in errors.
        samples: [N] or [N, channels], N may be 0; floats, full scale is -1 to 1, or int16.
        channel: from 0; None for the mean of all.
        is_chunk: whether more sound follows. A chunk may have fewer samples than channels, a
            recording has not: it is [channels, N], and refused.

    Returns:
        float32 [N].

    Example:
        >>> mono("stereo", np.array([[0, 16384], [-16384, -16384]], np.int16))
        array([ 0.25, -0.5 ], dtype=float32)
    """
    samples = np.asarray(samples)
    if samples.ndim not in (1, 2) or (samples.ndim == 2 and not samples.shape[1]):
        raise AudioError(name, f"expected samples [N] or [N, channels], found {samples.shape}")
    if samples.ndim == 2:
        most = max(len(samples), _CHANNELS_OF_A_CHUNK if is_chunk or not len(samples) else 1)
        if samples.shape[1] > most:
            raise AudioError(
                name,
                f"expected samples [N, channels], found {samples.shape}, which looks like "
                "[channels, N] (samples.T turns it round)",
            )
    if samples.dtype == np.int16:
        samples = samples.astype(np.float32) / 32768.0
    elif not np.issubdtype(samples.dtype, np.floating):
        raise AudioError(name, f"expected floats or int16, found {samples.dtype}")
    mixer = Mixer(name, channel)
    mixed = mixer.mix(samples if samples.ndim == 2 else samples[:, np.newaxis])
    mixed = np.ascontiguousarray(mixed, np.float32)
    check(name, mixed)
    if not is_chunk:
        mixer.warn()
    return mixed


def check(name: str, samples: np.ndarray) -> None:
    """Refuse samples that are NaN, infinite or beyond `LOUDEST`.

    Example:
        >>> check("a.wav", np.array([np.nan]))
        Traceback (most recent call last):
        ser_keras.errors.AudioError: a.wav: expected finite samples, found NaN or infinity
    """
    if not np.isfinite(samples).all():
        raise AudioError(name, "expected finite samples, found NaN or infinity")
    peak = np.abs(samples).max(initial=0.0)
    if peak > LOUDEST:
        raise AudioError(
            name, f"expected samples of at most {LOUDEST:.0e}, found {peak:.0e} times full scale"
        )
