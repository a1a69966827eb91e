"""The specification of an observation: MFCCs or log-mel spectra of a window."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ser_keras.features.mel import mel_frequencies
from ser_keras.fields import check_kinds, require

KINDS = ("mfcc", "log-mel")
STATISTICS = ("mean", "std")


@dataclass(frozen=True)
class FeatureSpec:
    """The way from sound to a sequence of observations, one per window.

    The defaults are the paper's: 40 MFCCs of windows of two seconds, one second apart, and
    everything that it leaves open as in `librosa.feature.mfcc`.

    Args:
        kind: "mfcc" or "log-mel".
        sample_rate: of the sound that the features are computed from, in hertz.
        window: length of a window, in seconds.
        hop: from the start of a window to the start of the next, in seconds.
        coefficients: number of MFCCs kept (kind "mfcc" only).
        mel_bands: number of mel bands between 0 Hz and half the sample rate.
        fft_size: samples of a frame, and of the Hann window that weights it; an even number.
        frame_hop: samples from a frame to the next, within a window.
        statistics: over the frames of a window, any of "mean" and "std", in the order in which the
            observation has them; none keeps all frames, a time-frequency patch.
        top_db: decibels below the loudest point of a window where its spectrogram is cut off;
            None for no limit.
        trailing_silence: seconds of digital silence appended to every recording, less than a
            window: time to answer after its last word.
        remove_offset: subtract its mean from every window. Cheap microphones and converters add a
            constant, which is no sound, but leaks into the lowest mel bands of every frame.

    Raises:
        ConfigurationError: an option is out of its range.

    Example:
        >>> ser.FeatureSpec(kind="log-mel", statistics=()).observation_shape
        (87, 128)
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
        check_kinds(self)
        require(self.kind in KINDS, "kind", self.kind, f"one of {', '.join(KINDS)}")
        for name in (
            *("sample_rate", "window", "hop", "coefficients"),
            *("mel_bands", "fft_size", "frame_hop", "top_db"),
        ):
            value = getattr(self, name)
            require(value is None or value > 0, name, value, "a number above 0")
        # JSON has lists only; a tuple keeps equal specifications equal and hashable.
        object.__setattr__(self, "statistics", tuple(self.statistics))
        names = set(self.statistics)
        once_each = names <= set(STATISTICS) and len(names) == len(self.statistics)
        expected = f"each of {', '.join(STATISTICS)} at most once"
        require(once_each, "statistics", self.statistics, expected)
        silence = self.trailing_silence
        expected = f"at least 0 and less than a window's {self.window} seconds"
        require(0 <= silence < self.window, "trailing_silence", silence, expected)
        require(self.hop_length >= 1, "hop", self.hop, "at least the seconds of one sample")
        fft, bands, window = self.fft_size, self.mel_bands, self.window_length
        expected = f"even, at most a window's {window}"
        require(fft % 2 == 0 and fft <= window, "fft_size", fft, expected)
        require(bands <= fft // 2, "mel_bands", bands, f"at most half of fft_size, {fft // 2}")
        if self.kind == "mfcc":
            count = self.coefficients
            require(count <= bands, "coefficients", count, f"at most mel_bands, {bands}")

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
        """Samples of the silence appended to a recording."""
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
    def band_frequencies(self) -> list[float] | None:
        """Where each mel band of a frame has its peak, in hertz; None for MFCCs."""
        if self.kind == "mfcc":
            return None
        return mel_frequencies(self.sample_rate, self.mel_bands).tolist()

    @property
    def patch_shape(self) -> tuple[int, int] | None:
        """Frames and bands of an observation that is a time-frequency patch, else None."""
        return None if self.statistics else (self.frames, self.bands)

    @property
    def in_decibels(self) -> bool:
        """Whether the elements of an observation are levels, as a spectrogram shows them."""
        return self.kind == "log-mel" and not self.statistics

    @property
    def overlap_frames(self) -> int:
        """Frames at the end of a patch that the next one begins with; 0 where none coincide."""
        hop, beyond = divmod(self.hop_length, self.frame_hop)
        return 0 if self.statistics or beyond else max(0, self.frames - hop)

    @property
    def observation_shape(self) -> tuple[int, ...]:
        """Shape of one observation: (values,) if frames are pooled, else `patch_shape`."""
        return self.patch_shape or (len(self.statistics) * self.bands,)

    @property
    def observation_size(self) -> int:
        """Values in one observation."""
        return math.prod(self.observation_shape)

    def instants(self, samples: int) -> int:
        """Count the whole windows in a recording and the silence appended to it."""
        beyond_first = samples + self.trailing_length - self.window_length
        return 0 if beyond_first < 0 else 1 + beyond_first // self.hop_length

    def end_of_window(self, instant: int) -> float:
        """Return the time of an instant: where its window ends, in seconds."""
        return self.window + instant * self.hop

    def labels(self) -> list[str]:
        """Name the values of an observation's last axis, e.g. "MFCC 1 mean"."""
        name = "MFCC" if self.kind == "mfcc" else "mel band"
        bands = [f"{name} {number}" for number in range(1, self.bands + 1)]
        if not self.statistics:
            return bands
        return [f"{band} {statistic}" for statistic in self.statistics for band in bands]

    def to_dict(self) -> dict[str, Any]:
        """Return all options in types that JSON has."""
        return dataclasses.asdict(self) | {"statistics": list(self.statistics)}

    @classmethod
    def from_dict(cls, options: Mapping[str, Any]) -> FeatureSpec:
        """Undo `to_dict`; a missing option has its default, an unknown one is an error."""
        known = [field.name for field in dataclasses.fields(cls)]
        for name in options:
            require(name in known, "features", name, f"options among {', '.join(known)}")
        return cls(**options)
