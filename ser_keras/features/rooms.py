"""The sound of a room, for varied copies: an impulse response that is made up."""

from __future__ import annotations

import numpy as np
import scipy.signal

# Seconds until an echo is 60 dB softer: of a furnished room and of a small hall.
REVERBERATION_TIME = (0.15, 0.8)
# How much stronger the direct sound is than all of the echo, in decibels: near and far speakers.
DIRECT_TO_REVERBERANT = (0.0, 18.0)
FIRST_ECHO = (0.002, 0.02)  # seconds after the direct sound


def impulse_response(sample_rate: int, random: np.random.Generator) -> np.ndarray:
    """Draw the impulse response of a room: 1, then noise that decays exponentially.

    That is the late part of a room's response (Polack 1988; Habets 2006 has the formula), which
    does without the room's shape.

    Returns:
        Float64 [N]; its first sample is the direct sound.

    Example:
        >>> response = impulse_response(16000, np.random.default_rng(0))
        >>> float(response[0]), bool(np.sum(response[1:] ** 2) <= 1.0)
        (1.0, True)
    """
    lasts = random.uniform(*REVERBERATION_TIME)
    time = np.arange(1, round(lasts * sample_rate)) / sample_rate
    echo = random.standard_normal(len(time)) * 10 ** (-3 * time / lasts)
    echo[time < random.uniform(*FIRST_ECHO)] = 0.0
    ratio = random.uniform(*DIRECT_TO_REVERBERANT)
    echo *= 10 ** (-ratio / 20) / np.sqrt(np.sum(echo**2))
    return np.concatenate([[1.0], echo])


def reverberate(samples: np.ndarray, sample_rate: int, random: np.random.Generator) -> np.ndarray:
    """Put a recording, float [N], into a room that is drawn; length and power stay as they are.

    Example:
        >>> click = np.eye(1, 8000, dtype=np.float32)[0]
        >>> echoing = reverberate(click, 16000, np.random.default_rng(0))
        >>> echoing.shape, bool(np.any(echoing[4000:]))
        ((8000,), True)
    """
    if not np.any(samples):
        return samples
    echoing = scipy.signal.oaconvolve(samples, impulse_response(sample_rate, random))
    echoing = echoing[: len(samples)]
    return echoing * np.sqrt(np.mean(np.square(samples)) / np.mean(np.square(echoing)))
