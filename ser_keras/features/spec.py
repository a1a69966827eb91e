"""What an observation is: MFCCs or log-mel spectrograms of windows."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ser_keras.errors import ConfigurationError

KINDS = ("mfcc", "log-mel")
STATISTICS = ("mean", "std")


@dataclass(frozen=True)
class FeatureSpec:
    """How sound becomes a sequence of observations, one per window.

    The defaults are the paper's: 40 MFCCs of windows of two seconds, one second apart, everything
    it leaves open as in `librosa.feature.mfcc`.

    Args:
        kind: "mfcc" or "log-mel".
        sample_rate: of the sound that the features are computed from, in hertz.
        window: length of a window, in seconds.
        hop: from the start of a window to the start of the next, in seconds.
        coefficients: how many MFCCs are kept (kind "mfcc" only).
        mel_bands: how many mel bands lie between 0 Hz and half the sample rate.
        fft_size: samples of a frame, and of the Hann window that weights it; an even number.
        frame_hop: samples from a frame to the next, within a window.
        statistics: what is kept of a window's frames, any of "mean" and "std" in that order of
            the observation; none keeps all frames, a time-frequency patch.
        top_db: decibels below the loudest point of a window where its spectrogram is cut off;
            None for no limit.
        trailing_silence: seconds of digital silence that are heard behind every recording, less
            than a window: time to answer after its last word.
        remove_offset: hear every window without its mean. Cheap microphones and converters add a
            constant, which is no sound, but leaks into the lowest mel bands of every frame.

    Raises:
        ConfigurationError: an option is out of its range.
    """

    kind: str = "mfcc"
    sample_rate: int = 22050
    window: float = 2.0
    hop: float = 1.0
    coefficients: int = 40
    mel_bands: int = 128
    fft_size: int = 2048
    frame_hop: int = 512
    statistics: tuple[str, ...] = ("mean",)
    top_db: float | None = 80.0
    trailing_silence: float = 0.0
    remove_offset: bool = False

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigurationError(f"kind is {self.kind!r}, expected one of {', '.join(KINDS)}")
        for option in ("sample_rate", "coefficients", "mel_bands", "fft_size", "frame_hop"):
            value = getattr(self, option)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ConfigurationError(f"{option} is {value!r}, expected an integer above 0")
        for option in ("window", "hop", "top_db"):
            value = getattr(self, option)
            if option == "top_db" and value is None:
                continue
            if not isinstance(value, (int, float)) or not 0 < value < math.inf:
                raise ConfigurationError(f"{option} is {value!r}, expected a number above 0")
        silence = self.trailing_silence
        if not isinstance(silence, (int, float)) or not 0 <= silence < self.window:
            raise ConfigurationError(
                f"trailing_silence is {silence!r}, expected seconds, less than a window's "
                f"{self.window}"
            )
        if not isinstance(self.remove_offset, bool):
            raise ConfigurationError(
                f"remove_offset is {self.remove_offset!r}, expected true or false"
            )
        self._check_statistics()
        self._check_sizes()

    def _check_statistics(self) -> None:
        if isinstance(self.statistics, str):
            raise ConfigurationError(
                f"statistics is the text {self.statistics!r}, expected a tuple of names"
            )
        # JSON has lists only; a tuple keeps equal specifications equal and hashable.
        object.__setattr__(self, "statistics", tuple(self.statistics))
        unknown = [name for name in self.statistics if name not in STATISTICS]
        if unknown or len(set(self.statistics)) < len(self.statistics):
            raise ConfigurationError(
                f"statistics is {self.statistics!r}, "
                f"expected each of {', '.join(STATISTICS)} at most once"
            )

    def _check_sizes(self) -> None:
        if self.fft_size % 2:
            raise ConfigurationError(f"fft_size is {self.fft_size}, expected an even number")
        if self.fft_size > self.window_length:
            raise ConfigurationError(
                f"fft_size is {self.fft_size} samples, "
                f"expected at most a window's {self.window_length}"
            )
        if self.hop_length < 1:
            raise ConfigurationError(f"hop is {self.hop} s, expected at least one sample")
        if self.mel_bands > self.fft_size // 2:
            raise ConfigurationError(
                f"mel_bands is {self.mel_bands}, "
                f"expected at most the {self.fft_size // 2} frequencies of fft_size {self.fft_size}"
            )
        if self.kind == "mfcc" and self.coefficients > self.mel_bands:
            raise ConfigurationError(
                f"coefficients is {self.coefficients}, expected at most mel_bands, {self.mel_bands}"
            )

    @property
    def window_length(self) -> int:
        """Samples of a window."""
        return round(self.window * self.sample_rate)

    @property
    def hop_length(self) -> int:
        """Samples from the start of a window to the start of the next."""
        return round(self.hop * self.sample_rate)

    @property
    def trailing_length(self) -> int:
        """Samples of the silence behind a recording."""
        return round(self.trailing_silence * self.sample_rate)

    @property
    def frames(self) -> int:
        """Frames of a window; they are centred, so its edges have their own."""
        return 1 + self.window_length // self.frame_hop

    @property
    def bands(self) -> int:
        """Values of a frame: MFCCs or mel bands."""
        return self.coefficients if self.kind == "mfcc" else self.mel_bands

    @property
    def patch_shape(self) -> tuple[int, int] | None:
        """Frames and bands of an observation that is a time-frequency patch, else None."""
        return None if self.statistics else (self.frames, self.bands)

    @property
    def observation_shape(self) -> tuple[int, ...]:
        """Shape of one observation: (values,) if frames are pooled, else `patch_shape`."""
        return self.patch_shape or (len(self.statistics) * self.bands,)

    @property
    def observation_size(self) -> int:
        """Values in one observation."""
        return math.prod(self.observation_shape)

    def instants(self, samples: int) -> int:
        """Count the windows that fit into a recording and the silence behind it.

        What is left at the end and shorter than a window is ignored.
        """
        beyond_first = samples + self.trailing_length - self.window_length
        return 0 if beyond_first < 0 else 1 + beyond_first // self.hop_length

    def labels(self) -> list[str]:
        """Name what the last axis of an observation holds, e.g. "MFCC 1 mean"."""
        name = "MFCC" if self.kind == "mfcc" else "mel band"
        bands = [f"{name} {number}" for number in range(1, self.bands + 1)]
        if not self.statistics:
            return bands
        return [f"{band} {statistic}" for statistic in self.statistics for band in bands]

    def to_dict(self) -> dict[str, Any]:
        """Give all options in types that JSON has."""
        return dataclasses.asdict(self) | {"statistics": list(self.statistics)}

    @classmethod
    def from_dict(cls, options: Mapping[str, Any]) -> FeatureSpec:
        """Undo `to_dict`; what is missing has its default.

        Raises:
            ConfigurationError: an option is unknown or out of its range.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        for name in options:
            if name not in known:
                raise ConfigurationError(
                    f"unknown feature option {name!r}, expected any of {', '.join(known)}"
                )
        return cls(**options)
