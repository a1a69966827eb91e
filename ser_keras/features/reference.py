"""Compute observations with librosa, the reference that `frontend` is held to."""

from __future__ import annotations

from functools import lru_cache

import librosa
import numpy as np
import scipy.fft

from ser_keras.features.spec import FeatureSpec


def extract(samples: np.ndarray, spec: FeatureSpec) -> np.ndarray:
    """Compute the observations of a recording with librosa.

    Args:
        samples: float32 [N], mono, at `spec.sample_rate`.
        spec: what to compute.

    Returns:
        float32 [T, *spec.observation_shape], T = 0 if the recording is shorter than a window.

    Raises:
        ValueError: `samples` is not one-dimensional.
    """
    if samples.ndim != 1:
        raise ValueError(f"samples have shape {samples.shape}, expected one dimension")
    instants = spec.instants(len(samples))
    samples = np.pad(samples, (0, spec.trailing_length))
    observations = np.empty((instants, *spec.observation_shape), np.float32)
    for instant in range(instants):
        start = instant * spec.hop_length
        # One window at a time: librosa applies top_db over everything it is given in one call.
        observations[instant] = extract_window(samples[start : start + spec.window_length], spec)
    return observations


def extract_window(window: np.ndarray, spec: FeatureSpec) -> np.ndarray:
    """Compute the observation of one window with librosa.

    Args:
        window: float32 [spec.window_length], mono, at `spec.sample_rate`.
        spec: what to compute.

    Returns:
        float32 [*spec.observation_shape].
    """
    if spec.remove_offset:
        window = window - window.mean(dtype=np.float64).astype(np.float32)
    return _pool(_time_frequency(window, spec), spec)


def _time_frequency(window: np.ndarray, spec: FeatureSpec) -> np.ndarray:
    """Compute [bands, frames] of one window, to the last bit as `librosa.feature` does.

    Its own functions make the mel filters anew in every call, which takes longer than all else.
    """
    spectrum = librosa.stft(window, n_fft=spec.fft_size, hop_length=spec.frame_hop)
    filters = mel_filters(spec.sample_rate, spec.fft_size, spec.mel_bands)
    power = np.einsum("ft,mf->mt", np.abs(spectrum) ** 2, filters, optimize=True)
    log_mel = librosa.power_to_db(power, ref=1.0, top_db=spec.top_db)
    if spec.kind == "log-mel":
        return log_mel
    return scipy.fft.dct(log_mel, axis=0, type=2, norm="ortho")[: spec.coefficients]


@lru_cache(maxsize=16)
def mel_filters(sample_rate: int, fft_size: int, mel_bands: int) -> np.ndarray:
    """Make librosa's mel filters: float32 [mel_bands, 1 + fft_size // 2], read only."""
    filters = librosa.filters.mel(sr=sample_rate, n_fft=fft_size, n_mels=mel_bands)
    filters.setflags(write=False)
    return filters


def _pool(values: np.ndarray, spec: FeatureSpec) -> np.ndarray:
    """Reduce [bands, frames] to an observation."""
    if not spec.statistics:
        return values.T
    return np.concatenate([getattr(np, name)(values, axis=1) for name in spec.statistics])
