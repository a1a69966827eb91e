"""Sound made of mel spectra: the way from sound to observations, backwards.

A mel band says how much power is in it and neither where in the band nor in which phase, so what
comes out is not what went in; `benchmarks.inversion` measures how far it is.
"""

from __future__ import annotations

import numpy as np

from ser_keras.errors import ConfigurationError
from ser_keras.features.spec import FeatureSpec


def mel_power(values: np.ndarray, spec: FeatureSpec) -> np.ndarray:
    """Compute the power in mel bands that an observation's frames or means stand for.

    Args:
        values: decibels of full scale, or MFCCs of them: rows of observations, not standardized,
            float [M, rows]; NaN stands for no sound.
        spec: of the observations.

    Returns:
        float [M, spec.mel_bands].

    Raises:
        ConfigurationError: an observation has frames that are pooled, and not their mean.

    Example:
        >>> spec = ser.FeatureSpec(kind="log-mel", mel_bands=2, statistics=("mean",))
        >>> mel_power(np.array([[0.0, -10.0], [np.nan, np.nan]]), spec).round(3).tolist()
        [[1.0, 0.1], [0.0, 0.0]]
    """
    if spec.statistics and "mean" not in spec.statistics:
        raise ConfigurationError(
            f"statistics: expected the mean, to make sound of it, found {spec.statistics}"
        )
    first = spec.statistics.index("mean") * spec.bands if spec.statistics else 0
    values = values[:, first : first + spec.bands]
    known = np.isfinite(values).all(axis=1)
    power = np.zeros((len(values), spec.mel_bands))
    if spec.kind == "log-mel":
        power[known] = 10.0 ** (values[known] / 10.0)
    elif known.any():
        from librosa.feature import inverse

        power[known] = inverse.mfcc_to_mel(values[known].T, n_mels=spec.mel_bands).T
    return power


def sound(
    power: np.ndarray, spec: FeatureSpec, phase_of: np.ndarray | None = None, seed: int = 0
) -> np.ndarray:
    """Make sound of the power in mel bands.

    Args:
        power: of every frame, float [frames, spec.mel_bands]; frames are `spec.frame_hop` samples
            apart, and the first is centered on the first sample.
        spec: of the observations.
        phase_of: a recording at the spec's rate whose phase to take, float32 [N], N // frame_hop
            being frames - 1; None finds a phase that fits, by Griffin and Lim's method.
        seed: of the phase that this method begins with.

    Returns:
        float32 [N].

    Example:
        >>> spec = ser.FeatureSpec(sample_rate=8000, window=0.5, fft_size=512, mel_bands=40)
        >>> sound(np.zeros((5, 40)), spec, phase_of=np.zeros(2100)).shape
        (2100,)
    """
    import librosa

    fft, hop = spec.fft_size, spec.frame_hop
    length = len(phase_of) if phase_of is not None else (len(power) - 1) * hop
    magnitude = np.zeros((1 + fft // 2, len(power)), np.float32)
    audible = power.any(axis=1)
    if audible.any():
        magnitude[:, audible] = librosa.feature.inverse.mel_to_stft(
            power[audible].T.astype(np.float32), sr=spec.sample_rate, n_fft=fft, power=2.0
        )
    if phase_of is not None:
        phase = np.angle(librosa.stft(np.asarray(phase_of, np.float32), n_fft=fft, hop_length=hop))
        made = librosa.istft(magnitude * np.exp(1j * phase), hop_length=hop, length=length)
    else:
        made = librosa.griffinlim(
            magnitude, hop_length=hop, n_fft=fft, length=length, random_state=seed
        )
    return np.asarray(made, np.float32)


def frames_of(begin: np.ndarray, end: np.ndarray, samples: int, spec: FeatureSpec) -> np.ndarray:
    """Find the column of a map that each frame of a recording lies in, int [frames]; -1 in gaps.

    Args:
        begin: where columns begin, in seconds, ascending.
        end: where they end.
        samples: of the recording, at the spec's rate.
        spec: of the observations.

    Example:
        >>> spec = ser.FeatureSpec(sample_rate=1000, frame_hop=500, fft_size=512, mel_bands=40)
        >>> frames_of(np.array([0.0, 1.0]), np.array([1.0, 1.5]), 2000, spec).tolist()
        [0, 0, 1, -1, -1]
    """
    # Half a sample later: where a column begins, rounding must not decide.
    times = (np.arange(1 + samples // spec.frame_hop) * spec.frame_hop + 0.5) / spec.sample_rate
    column = np.searchsorted(begin, times, side="right") - 1
    return np.where(times < end[column], column, -1)
