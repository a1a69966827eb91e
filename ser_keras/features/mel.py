"""Slaney's mel filters, as librosa makes them by default, without the seconds its import takes."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

# Slaney's scale (Auditory Toolbox, 1998) is linear up to 1000 Hz, then 27 mels a factor of 6.4.
_HERTZ_PER_MEL = 200.0 / 3
_BREAK_HERTZ = 1000.0
_BREAK_MEL = _BREAK_HERTZ / _HERTZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27.0


@lru_cache(maxsize=16)
def mel_filters(sample_rate: int, fft_size: int, mel_bands: int) -> np.ndarray:
    """Make triangular filters of equal area: float32 [mel_bands, 1 + fft_size // 2], read only.

    Equal to `librosa.filters.mel` of the same arguments.

    Example:
        >>> ser.features.mel_filters(sample_rate=22050, fft_size=2048, mel_bands=128).shape
        (128, 1025)
    """
    frequencies = np.fft.rfftfreq(fft_size, 1.0 / sample_rate)
    corners = _corners(sample_rate, mel_bands)
    distances = np.subtract.outer(corners, frequencies)  # [mel_bands + 2, frequencies]
    widths = np.diff(corners)[:, np.newaxis]
    rising, falling = -distances[:-2] / widths[:-1], distances[2:] / widths[1:]
    filters = np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)
    filters *= 2.0 / (corners[2:] - corners[:-2])[:, np.newaxis]
    filters.setflags(write=False)
    return filters


def mel_frequencies(sample_rate: int, mel_bands: int) -> np.ndarray:
    """Return where each mel band has its peak, in hertz: float64 [mel_bands].

    Example:
        >>> mel_frequencies(sample_rate=16000, mel_bands=3).round().tolist()
        [754.0, 1689.0, 3676.0]
    """
    return _corners(sample_rate, mel_bands)[1:-1]


def _corners(sample_rate: int, mel_bands: int) -> np.ndarray:
    """Return where bands begin, peak and end; one peaks where the next begins: [mel_bands + 2]."""
    return _to_hertz(np.linspace(0.0, _to_mel(sample_rate / 2), mel_bands + 2))


def _to_mel(hertz: float) -> float:
    if hertz < _BREAK_HERTZ:
        return hertz / _HERTZ_PER_MEL
    return float(_BREAK_MEL + np.log(hertz / _BREAK_HERTZ) / _LOG_STEP)


def _to_hertz(mels: np.ndarray) -> np.ndarray:
    above = _BREAK_HERTZ * np.exp(_LOG_STEP * (mels - _BREAK_MEL))
    return np.where(mels < _BREAK_MEL, _HERTZ_PER_MEL * mels, above)
