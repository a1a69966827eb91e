"""The level of sound, and that below which it is silence."""

from __future__ import annotations

import math

import numpy as np

# In decibels relative to full scale: the root mean square of a window around its mean. The softest
# recording of RAVDESS has a window of -62 dB; speech is usually at -20 to -40 dB. An exported model
# is described with this number, so that every program uses the same.
SILENT_LEVEL = -70.0


def level(samples: np.ndarray) -> float:
    """Return the root mean square around the mean, in decibels; -inf for digital silence.

    Args:
        samples: [N], full scale is -1 to 1. A constant, as cheap converters add, is no sound.

    Example:
        >>> round(level(np.array([0.1, -0.1, 0.1, -0.1])))
        -20
    """
    if not len(samples):
        return -math.inf
    deviation = float(np.std(samples, dtype=np.float64))
    return 20.0 * math.log10(deviation) if deviation else -math.inf


def is_silent(samples: np.ndarray) -> bool:
    """Tell whether a window [N] is softer than `SILENT_LEVEL`; sound is where all of its are.

    Example:
        >>> is_silent(np.zeros(8000)), is_silent(np.full(8000, 0.1)), is_silent(np.eye(1, 8000)[0])
        (True, True, False)
    """
    return level(samples) < SILENT_LEVEL
