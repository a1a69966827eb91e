"""Observations by librosa, the reference that the TensorFlow front end is held to.

librosa takes seconds to import, so it is imported in the functions that use it: what does not
extract never waits for it.
"""

from __future__ import annotations

import numpy as np

from ser_keras.features.mel import mel_filters
from ser_keras.features.spec import FeatureSpec


def extract(samples: np.ndarray, spec: FeatureSpec) -> np.ndarray:
    """Compute the observations of a recording.

    Args:
        samples: float32 [N], mono, at `spec.sample_rate`.
        spec: the observations wanted.

    Returns:
        float32 [T, *spec.observation_shape], T = 0 if the recording is shorter than a window.

    Raises:
        ValueError: `samples` is not one-dimensional.

    Example:
        >>> ser.features.extract(np.zeros(3 * 22050, np.float32), ser.FeatureSpec()).shape
        (2, 40)
    """
    if samples.ndim != 1:
        raise ValueError(f"samples: expected one dimension, found shape {samples.shape}")
    instants = spec.instants(len(samples))
    samples = np.pad(samples, (0, spec.trailing_length))
    observations = np.empty((instants, *spec.observation_shape), np.float32)
    for instant in range(instants):
        start = instant * spec.hop_length
        # One window at a time: librosa applies top_db over everything it is given in one call.
        observations[instant] = extract_window(samples[start : start + spec.window_length], spec)
    return observations


def extract_window(window: np.ndarray, spec: FeatureSpec) -> np.ndarray:
    """Compute one window's observation: [spec.window_length] to [*spec.observation_shape].

    Example:
        >>> ser.features.extract_window(np.zeros(2 * 22050, np.float32), ser.FeatureSpec()).shape
        (40,)
    """
    if spec.remove_offset:
        window = window - window.mean(dtype=np.float64).astype(np.float32)
    values = _time_frequency(window, spec)  # [bands, frames]
    if not spec.statistics:
        return values.T
    return np.concatenate([getattr(np, name)(values, axis=1) for name in spec.statistics])


def _time_frequency(window: np.ndarray, spec: FeatureSpec) -> np.ndarray:
    """Compute [bands, frames] of one window, to the last bit as `librosa.feature` does.

    Its own functions make the mel filters anew in every call, which takes longer than all else.
    """
    import librosa
    import scipy.fft

    spectrum = librosa.stft(window, n_fft=spec.fft_size, hop_length=spec.frame_hop)
    filters = mel_filters(spec.sample_rate, spec.fft_size, spec.mel_bands)
    power = np.einsum("ft,mf->mt", np.abs(spectrum) ** 2, filters, optimize=True)
    log_mel = librosa.power_to_db(power, ref=1.0, top_db=spec.top_db)
    if spec.kind == "log-mel":
        return log_mel
    return scipy.fft.dct(log_mel, axis=0, type=2, norm="ortho")[: spec.coefficients]
