"""Variations of a recording that leave its emotion as it is, for the training subset alone."""

from __future__ import annotations

import dataclasses
import zlib
from dataclasses import dataclass

import numpy as np
import scipy.fft
import soxr

from ser_keras.fields import check_kinds, require

# Settings of what layers do at every step of training; the others determine the varied copies.
STEPWISE = (
    *("band_mask", "frame_mask", "band_gain", "mixup"),
    *("tempo", "tract", "point_noise", "plain_epochs"),
)


@dataclass(frozen=True)
class Augmentation:
    """The number of varied copies of every training recording, and the ranges of all variations.

    Each copy has a speed (and with it pitch and formants), a beginning, a level and a background
    of its own, drawn uniformly from their ranges. An epoch goes through the recordings as they are
    and through all copies. Copies are made once; masks, filters and mixtures (see
    `ser_keras.model.stepwise`) are drawn anew at every step of training.

    Args:
        copies: varied copies of every recording; 0 for none.
        copies_of: corpora, of several that are joined, whose recordings have another number of
            copies, such as `("ravdess:15",)`: so that a small corpus has as many as a large one.
        versions: of each other corpus, most recordings and copies together: one that would have
            more has fewer copies of each recording, if at least one, so that features take no
            longer for it, and it does not outnumber those it is joined with; None for no limit.
        speed: a copy is up to e to this power faster or slower.
        shift: a copy begins up to this many seconds earlier, in silence, or later.
        gain: lowest and highest change of level, in decibels.
        noise: lowest and highest level of the white noise added, in decibels relative to full
            scale.
        noise_slope: the noise's level falls by up to this many decibels an octave: 0 is white, 3
            pink, 6 brown.
        rooms: share of the copies that are put into a room (`ser_keras.features.rooms`).
        codecs: share of the copies that go through a codec, a telephone or a narrower band
            (`ser_keras.features.codecs`).
        trim: a copy loses a random share of what is quieter than so many decibels below the
            loudest, at either end; None cuts nothing off.
        silence: longest silence, in seconds, that is put before a copy and behind it; half of the
            ends get none. Corpora differ in the silence around their recordings, which must not
            tell a model what to answer.
        band_mask, frame_mask: width of the widest mask over bands and over frames of a patch; both
            0 for no masks.
        band_gain: largest gain of a random filter per utterance, in decibels; 0 for no filter.
        mixup: α of the Beta distribution that an utterance and its label are mixed with another
            by; 0 for no mixtures.
        tempo, tract: half of the utterances are up to e to this power faster or slower, with the
            frequencies of their voices up to e to this power higher or lower, and their patches
            begin elsewhere; both 0 for none of this.
        point_noise: largest standard deviation of noise at every point, in those of the
            observations; 0 for none. It is not to be generated.
        plain_epochs: epochs at the end of a training without what is drawn at every step (He et al.
            2019, arXiv:1909.09148).

    Raises:
        ConfigurationError: an option is out of its range.

    Example:
        >>> Augmentation(copies=2, gain=(-6, 6)).gain
        (-6, 6)
    """

    copies: int = 0
    copies_of: tuple[str, ...] = ()
    versions: int | None = None
    speed: float = 0.18
    shift: float = 0.3
    gain: tuple[float, float] = (-12.0, 6.0)
    noise: tuple[float, float] = (-95.0, -55.0)
    noise_slope: float = 0.0
    rooms: float = 0.0
    codecs: float = 0.0
    trim: float | None = None
    silence: float = 0.0
    band_mask: int = 0
    frame_mask: int = 0
    band_gain: float = 0.0
    mixup: float = 0.0
    tempo: float = 0.0
    tract: float = 0.0
    point_noise: float = 0.0
    plain_epochs: int = 0

    def __post_init__(self) -> None:
        check_kinds(self)
        for name in ("copies", "speed", "shift", "noise_slope", "silence", *STEPWISE):
            require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        for name in ("rooms", "codecs"):
            require(0.0 <= getattr(self, name) <= 1.0, name, getattr(self, name), "from 0 to 1")
        versions = self.versions
        limited = versions is None or versions >= 1
        require(limited, "versions", versions, "at least 1, or none")
        trim = self.trim
        require(trim is None or trim > 0, "trim", trim, "decibels above 0, or none")
        object.__setattr__(self, "copies_of", tuple(self.copies_of))
        for each in self.copies_of:
            corpus, _, number = each.rpartition(":")
            named = corpus and number.isdecimal()
            require(bool(named), "copies_of", each, "a corpus and its copies, as in ravdess:15")
        for name in ("gain", "noise"):
            # JSON has lists only; a tuple keeps equal settings equal and hashable.
            object.__setattr__(self, name, tuple(getattr(self, name)))
            pair = getattr(self, name)
            ordered = len(pair) == 2 and pair[0] <= pair[1]
            require(ordered, name, pair, "the lowest and highest")

    def to_dict(self) -> dict[str, object]:
        """Return all options in types that JSON has."""
        lists = {name: list(getattr(self, name)) for name in ("copies_of", "gain", "noise")}
        return dataclasses.asdict(self) | lists

    def of_a_copy(self) -> dict[str, object]:
        """Return the options that a single copy follows from, in types that JSON has."""
        options = self.to_dict()
        others = ("copies", "copies_of", "versions", *STEPWISE)
        return {name: options[name] for name in options if name not in others}

    @property
    def named_copies(self) -> dict[str, int]:
        """The number of copies of each corpus that `copies_of` names.

        Example:
            >>> Augmentation(copies_of=("ravdess:15", "nemo:3")).named_copies
            {'ravdess': 15, 'nemo': 3}
        """
        pairs = (each.rpartition(":") for each in self.copies_of)
        return {name: int(number) for name, _, number in pairs}

    def copies_in(self, corpus: str) -> int:
        """Return how many varied copies a recording of a corpus has.

        Example:
            >>> augmentation = Augmentation(copies=2, copies_of=("ravdess:15",))
            >>> augmentation.copies_in("ravdess"), augmentation.copies_in("nemo")
            (15, 2)
        """
        return self.named_copies.get(corpus, self.copies)


NONE = Augmentation()


def vary(
    samples: np.ndarray, sample_rate: int, augmentation: Augmentation, copy: int
) -> np.ndarray:
    """Make one of a recording's varied copies.

    It follows from the sound, float32 [N], and the copy's number alone, so that it is the same in
    every run, and neither a file's name nor its position in a corpus matters. Copy 0 is the
    recording as it is; the others have other lengths.

    Example:
        >>> ranges = Augmentation(speed=0.0, shift=0.0, gain=(6.0, 6.0), noise=(-200.0, -200.0))
        >>> vary(np.array([0.25, -0.25], np.float32), 16000, ranges, copy=1).round(1)
        array([ 0.5, -0.5], dtype=float32)
    """
    if not copy:
        return samples
    content = zlib.crc32(samples.tobytes())
    draw = np.random.default_rng([content, copy]).uniform
    if augmentation.trim is not None:
        import librosa  # takes seconds, and recognition imports this module for its settings

        _, (begin, end) = librosa.effects.trim(samples, top_db=augmentation.trim)
        samples = samples[round(draw(0, begin)) : round(draw(end, len(samples)))]
    speed = np.exp(draw(-augmentation.speed, augmentation.speed))
    varied = soxr.resample(samples, sample_rate * speed, sample_rate, quality="MQ")
    shift = round(draw(-augmentation.shift, augmentation.shift) * sample_rate)
    varied = varied[shift:] if shift > 0 else np.pad(varied, (-shift, 0))
    # Options that came later have draws of their own, so that they leave the others' as they were.
    later = np.random.default_rng([content, copy, 2])
    if augmentation.silence:
        ends = np.random.default_rng([content, copy, 3]).uniform(-1.0, 1.0, size=2)
        seconds = augmentation.silence * np.maximum(ends, 0.0)
        varied = np.pad(varied, np.round(seconds * sample_rate).astype(int))
    if later.random() < augmentation.rooms:
        from ser_keras.features.rooms import reverberate

        varied = reverberate(varied, sample_rate, later)
    varied = varied * 10 ** (draw(*augmentation.gain) / 20)
    noise = np.random.default_rng([content, copy, 1]).standard_normal(len(varied))
    if augmentation.noise_slope:
        noise = _colored(noise, later.uniform(0.0, augmentation.noise_slope))
    varied = (varied + 10 ** (draw(*augmentation.noise) / 20) * noise).astype(np.float32)
    if later.random() < augmentation.codecs:
        from ser_keras.features.codecs import transmit

        varied = transmit(varied, sample_rate, later)
    return varied


def _colored(noise: np.ndarray, slope: float) -> np.ndarray:
    """Let the level of white noise fall by so many decibels an octave; its power stays."""
    size = scipy.fft.next_fast_len(len(noise), real=True)
    spectrum = scipy.fft.rfft(noise, size)
    spectrum[0] = 0.0
    octaves = np.log2(np.maximum(np.arange(len(spectrum)), 1))
    filtered = scipy.fft.irfft(spectrum * 10 ** (-slope * octaves / 20), size)[: len(noise)]
    return filtered * (np.std(noise) / np.std(filtered))
