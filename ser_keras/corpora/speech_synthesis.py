"""Speech-like sound from a source-filter model: a glottal source through moving formants.

The model is Fant's (1960, Acoustic Theory of Speech Production), the glottal pulse Rosenberg's
(1971, JASA 49, 583-590, shape B), the vowels Peterson & Barney's (1952, JASA 24, 175-184). Emotion
changes F0, tempo, level and voice quality as in Scherer (2003), Speech Communication 40, 227-256.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SAMPLE_RATE = 22050
FRAME = 512  # samples, 23 ms, in which formants are constant
FRAME_HOP = 256

# Formants 1 to 3 of an adult male, in Hz: heed, hid, head, had, hod, hawed, hood, who'd, heard.
VOWELS = np.array([
    (270, 2290, 3010), (390, 1990, 2550), (530, 1840, 2480), (660, 1720, 2410), (730, 1090, 2440),
    (570, 840, 2410), (440, 1020, 2240), (300, 870, 2240), (490, 1350, 1690),
])  # fmt: skip
HIGHER_FORMANTS = (3500.0, 4500.0)
BANDWIDTHS = np.array([80.0, 100.0, 140.0, 220.0, 320.0])

OPEN_QUOTIENT = 0.6
RISE_SHARE = 0.66  # of the open phase
EDGE_SILENCE = 0.2  # seconds before and after
BACKGROUND_DB = -65.0


@dataclass(frozen=True)
class Voice:
    """A speaker.

    Example:
        >>> woman = Voice(pitch=200, formant_scale=1.16, breathiness=0.1, tempo=4, expressiveness=1)
    """

    pitch: float  # F0 of neutral speech, Hz
    formant_scale: float  # relative to an adult male's; above 1 for a shorter vocal tract
    breathiness: float  # aspiration noise relative to the voice, 0 to 1
    tempo: float  # syllables per second of neutral speech
    expressiveness: float  # size of the changes with emotion; 1 is the average


@dataclass(frozen=True)
class Manner:
    """A way of speaking, relative to the speaker's neutral one.

    Example:
        >>> tense = Manner(pitch=4, level=6, tilt=3)
    """

    pitch: float = 0.0  # semitones above neutral
    pitch_range: float = 2.0  # size of the melody's movements, semitones
    final_pitch: float = -2.0  # semitones by which the melody rises over the last third
    tempo: float = 1.0  # factor on the syllable rate
    level: float = 0.0  # decibels above neutral
    tilt: float = 0.0  # decibels per octave that the source gains about 500 Hz; > 0 is pressed
    breathiness: float = 0.0  # added share of aspiration noise
    jitter: float = 0.008  # relative deviation of one period's length
    tremor: float = 0.0  # semitones of a 6 Hz tremor
    formants: float = 1.0  # factor on formants; a smile shortens the vocal tract
    pause: float = 0.12  # share of the time that is silence


def speak(voice: Voice, manner: Manner, duration: float, rng: np.random.Generator) -> np.ndarray:
    """Synthesize an utterance of random syllables.

    Args:
        voice: the speaker.
        manner: the way of speaking.
        duration: in seconds, silence at both ends included.
        rng: decides the syllables and all small deviations.

    Returns:
        float64 [duration * SAMPLE_RATE], within -1 and 1.

    Example:
        >>> man = Voice(pitch=115, formant_scale=1, breathiness=0.05, tempo=4, expressiveness=1)
        >>> speak(man, Manner(), duration=1.0, rng=np.random.default_rng(0)).shape
        (22050,)
    """
    length = round(duration * SAMPLE_RATE)
    onsets = _syllable_onsets(voice.tempo * manner.tempo, duration, rng)
    loudness = _loudness(onsets, manner.pause, length, rng)
    pitch = _melody(voice, manner, onsets, length, rng)
    source = _source(pitch, manner.jitter, voice.breathiness + manner.breathiness, rng)
    formants = _formant_tracks(voice.formant_scale * manner.formants, onsets, length, rng)
    sound = _vocal_tract(source, formants, manner.tilt) * loudness
    level = 10 ** ((manner.level - 26) / 20)
    sound *= level / np.sqrt(np.mean(sound**2))
    sound += 10 ** (BACKGROUND_DB / 20) * rng.standard_normal(length)
    return np.tanh(sound)  # as a microphone's limiter would, where a loud peak is too high


def _syllable_onsets(rate: float, duration: float, rng: np.random.Generator) -> np.ndarray:
    """Draw the beginnings of syllables and the end of the last: seconds, [syllables + 1]."""
    speaking = duration - 2 * EDGE_SILENCE
    lengths = rng.lognormal(0.0, 0.25, max(round(rate * speaking), 2))
    lengths[-1] *= 1.4  # phrase-final lengthening
    return EDGE_SILENCE + speaking * np.concatenate(([0.0], np.cumsum(lengths) / lengths.sum()))


def _loudness(
    onsets: np.ndarray, pause: float, length: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw the level of syllables, with dips for consonants and some left out: [length]."""
    stress = rng.lognormal(0.0, 0.3, len(onsets) - 1)
    inner = np.arange(1, len(onsets) - 2)
    pauses = rng.choice(inner, size=min(round(pause * len(stress)), len(inner)), replace=False)
    stress[pauses] = 0.0
    spans = np.diff(onsets)
    # Each syllable rises, falls a little and ends: [syllables, 4] points of the envelope.
    times = onsets[:-1, None] + spans[:, None] * np.array([0.0, 0.25, 0.6, 0.95])
    levels = stress[:, None] * np.array([0.08, 1.0, 0.8, 0.1])
    clock = np.arange(length) / SAMPLE_RATE
    return np.interp(clock, times.ravel(), levels.ravel(), left=0.0, right=0.0)


def _melody(
    voice: Voice, manner: Manner, onsets: np.ndarray, length: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw F0 in Hz, with declination, an accent on each syllable, a final movement: [length]."""
    clock = np.arange(length) / SAMPLE_RATE
    middles = (onsets[:-1] + onsets[1:]) / 2
    accents = rng.normal(0.0, manner.pitch_range, len(middles))
    declination = np.linspace(1.0, -1.0, len(middles)) * 0.5 * manner.pitch_range
    progress = (middles - onsets[0]) / (onsets[-1] - onsets[0])
    final = manner.final_pitch * np.clip((progress - 2 / 3) * 3, 0.0, 1.0)
    semitones = np.interp(clock, middles, accents + declination + final) + manner.pitch
    semitones += manner.tremor * np.sin(2 * np.pi * (6.0 * clock + rng.uniform()))
    return np.clip(voice.pitch * 2 ** (semitones / 12), 55.0, 700.0)


def _source(
    pitch: np.ndarray, jitter: float, breathiness: float, rng: np.random.Generator
) -> np.ndarray:
    """Differentiate glottal flow and add aspiration, strongest while it is open: [length]."""
    cycles = np.floor(np.cumsum(pitch) / SAMPLE_RATE).astype(int)
    deviation = rng.standard_normal((2, cycles[-1] + 1))
    # A period keeps its deviation from beginning to end: jitter in length, shimmer in strength.
    phase = np.cumsum(pitch * (1 + jitter * deviation[0][cycles])) / SAMPLE_RATE % 1.0
    rise = OPEN_QUOTIENT * RISE_SHARE
    fall = OPEN_QUOTIENT - rise
    flow = np.where(
        phase < rise,
        3 * (phase / rise) ** 2 - 2 * (phase / rise) ** 3,
        np.clip(1 - ((phase - rise) / fall) ** 2, 0.0, None),
    )
    voiced = np.diff(flow, prepend=0.0) * (1 + 3 * jitter * deviation[1][cycles])
    aspiration = rng.standard_normal(len(pitch)) * (0.3 + flow)
    return voiced / voiced.std() + breathiness * aspiration / aspiration.std()


def _formant_tracks(
    scale: float, onsets: np.ndarray, length: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw formants that glide from vowel to vowel, in Hz: [frames, 5]."""
    vowels = VOWELS[rng.integers(len(VOWELS), size=len(onsets) - 1)]
    vowels = vowels * rng.normal(1.0, 0.03, vowels.shape)
    spans = np.diff(onsets)
    # Each vowel is held for the middle half of its syllable.
    times = (onsets[:-1, None] + spans[:, None] * np.array([0.25, 0.75])).ravel()
    held = np.repeat(vowels, 2, axis=0)
    clock = np.arange(0, length + FRAME, FRAME_HOP) / SAMPLE_RATE
    lower = np.stack([np.interp(clock, times, track) for track in held.T], axis=1)
    higher = np.broadcast_to(HIGHER_FORMANTS, (len(clock), len(HIGHER_FORMANTS)))
    return scale * np.concatenate([lower, higher], axis=1)


def _vocal_tract(source: np.ndarray, formants: np.ndarray, tilt: float) -> np.ndarray:
    """Filter the source by a cascade of resonances, one response per frame: [length]."""
    from scipy import signal  # takes most of the time in which all corpora are imported

    frequencies, _, spectrum = signal.stft(
        source, SAMPLE_RATE, nperseg=FRAME, noverlap=FRAME - FRAME_HOP
    )
    square = formants[: spectrum.shape[1], :, None] ** 2  # [frames, 5, 1]
    damping = 1j * BANDWIDTHS[:, None] * frequencies  # [5, bins]
    response = np.prod(square / (square - frequencies**2 + damping), axis=1)  # [frames, bins]
    octaves = np.log2(np.maximum(frequencies, 125.0) / 500.0)
    response *= 10 ** (tilt * octaves / 20)
    _, sound = signal.istft(
        spectrum * response.T, SAMPLE_RATE, nperseg=FRAME, noverlap=FRAME - FRAME_HOP
    )
    return sound[: len(source)]
