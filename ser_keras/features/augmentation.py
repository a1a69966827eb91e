"""Variations of a recording that leave its emotion as it is, for the training part alone."""

from __future__ import annotations

import dataclasses
import zlib
from dataclasses import dataclass

import librosa
import numpy as np
import soxr

from ser_keras.fields import check_kinds, require

# What layers do at every step of training, and until when; the others decide what copies are.
STEPWISE = ("band_mask", "frame_mask", "band_gain", "mixup", "plain_epochs")


@dataclass(frozen=True)
class Augmentation:
    """How often every recording of the training part is varied, and how far.

    Each copy has a speed (and with it pitch and formants), a beginning, a level and a background
    of its own, all drawn evenly from their ranges. An epoch goes through the recordings as they
    are and through all copies.

    Args:
        copies: varied copies of every recording; 0 augments nothing.
        speed: a copy is up to e to this power faster or slower.
        shift: a copy begins up to this many seconds earlier, in silence, or later.
        gain: lowest and highest change of level, in decibels.
        noise: lowest and highest level of the white noise added, in decibels relative to full
            scale.
        trim: of what is quieter than so many decibels below the loudest, at either end, a copy
            loses a share; None cuts nothing off.
        band_mask, frame_mask: width of the widest mask over bands and over frames of a patch; see
            `SpectrogramMask`. Both 0 mask nothing.
        band_gain: an utterance is heard through a random filter of up to so many decibels; see
            `SpectrogramFilter`. 0 filters nothing.
        mixup: how evenly an utterance and its label are mixed with another, α of `Mixup`; 0
            mixes nothing.
        plain_epochs: in so many epochs at the end of a training, recordings and copies are heard as
            they are, without masks, filters and mixtures (He et al. 2019, arXiv:1909.09148).

    Masks, filters and mixtures are drawn anew at every step of training; copies are made once.

    Raises:
        ConfigurationError: an option is out of its range.
    """

    copies: int = 0
    speed: float = 0.18
    shift: float = 0.3
    gain: tuple[float, float] = (-12.0, 6.0)
    noise: tuple[float, float] = (-95.0, -55.0)
    trim: float | None = None
    band_mask: int = 0
    frame_mask: int = 0
    band_gain: float = 0.0
    mixup: float = 0.0
    plain_epochs: int = 0

    def __post_init__(self) -> None:
        check_kinds(self)
        for name in ("copies", "speed", "shift", *STEPWISE):
            require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        trim = self.trim
        require(trim is None or trim > 0, "trim", trim, "decibels above 0, or none")
        for name in ("gain", "noise"):
            # JSON has lists only; a tuple keeps equal settings equal and hashable.
            object.__setattr__(self, name, tuple(getattr(self, name)))
            pair = getattr(self, name)
            ordered = len(pair) == 2 and pair[0] <= pair[1]
            require(ordered, name, pair, "the lowest and highest")

    def to_dict(self) -> dict[str, object]:
        """All options in types that JSON has."""
        return dataclasses.asdict(self) | {"gain": list(self.gain), "noise": list(self.noise)}


NONE = Augmentation()


def vary(
    samples: np.ndarray, sample_rate: int, augmentation: Augmentation, copy: int
) -> np.ndarray:
    """One of a recording's copies.

    It follows from the sound and the copy's number alone, so that it is the same in every run, and
    neither a file's name nor its place in a corpus matters.

    Args:
        samples: float32 [N], mono.
        sample_rate: in hertz.
        augmentation: the ranges.
        copy: its number; 0 is the recording as it is.

    Returns:
        float32, of another length.
    """
    if not copy:
        return samples
    content = zlib.crc32(samples.tobytes())
    draw = np.random.default_rng([content, copy]).uniform
    if augmentation.trim is not None:
        _, (begin, end) = librosa.effects.trim(samples, top_db=augmentation.trim)
        samples = samples[round(draw(0, begin)) : round(draw(end, len(samples)))]
    speed = np.exp(draw(-augmentation.speed, augmentation.speed))
    varied = soxr.resample(samples, sample_rate * speed, sample_rate, quality="MQ")
    varied = _begin_elsewhere(
        varied, round(draw(-augmentation.shift, augmentation.shift) * sample_rate)
    )
    varied = varied * 10 ** (draw(*augmentation.gain) / 20)
    level = 10 ** (draw(*augmentation.noise) / 20)
    noise = np.random.default_rng([content, copy, 1])
    return (varied + level * noise.standard_normal(len(varied))).astype(np.float32)


def _begin_elsewhere(samples: np.ndarray, shift: int) -> np.ndarray:
    """Cut so many samples off the beginning, or put silence before it if negative."""
    return samples[shift:] if shift > 0 else np.pad(samples, (-shift, 0))
