"""A corpus of synthetic, speech-like sound, so that everything runs without any recording.

It is for trying things out and for tests: accuracy on it says nothing about speech.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import fields, replace
from os import PathLike
from pathlib import Path

import numpy as np
import soundfile

from ser_keras.corpora.ravdess import EMOTIONS
from ser_keras.corpora.speech_synthesis import SAMPLE_RATE, Manner, Voice, speak
from ser_keras.corpora.utterance import Corpus, Utterance
from ser_keras.errors import CorpusError
from ser_keras.fields import require
from ser_keras.files import cache_directory, replacing

# In the folder's name: raise it whenever the same options would give other sound.
_VERSION = 1

# fmt: off
# The columns: pitch, pitch range, final pitch, tempo, level, tilt, breathiness, jitter, tremor,
# formants, pause.
_MANNERS = {
    "neutral":   Manner( 0.0, 2.0, -2.0,  1.0,   0.0,  0.0,  0.0, 0.008, 0.0,  1.0, 0.12),
    "calm":      Manner(-1.0, 1.4, -2.0, 0.87,  -3.0, -1.2,  0.1, 0.008, 0.0,  1.0, 0.18),
    "happy":     Manner( 5.0, 4.0,  1.0, 1.12,   4.0,  1.2,  0.0, 0.008, 0.0, 1.07, 0.12),
    "sad":       Manner(-1.5, 1.0, -3.0, 0.74,  -6.0, -2.4, 0.22, 0.016, 0.0,  1.0, 0.24),
    "angry":     Manner( 4.0, 3.2, -4.0,  1.1,   9.0,  3.2,  0.0, 0.025, 0.0, 1.02, 0.06),
    "fearful":   Manner( 7.0, 2.0,  0.0, 1.25,   2.0,  0.3, 0.25,  0.03, 0.7,  1.0, 0.12),
    "disgust":   Manner(-0.5, 2.4, -4.0, 0.84,   0.0,  0.8,  0.0,  0.03, 0.0, 0.93, 0.16),
    "surprised": Manner( 6.0, 4.5,  7.0,  1.0,   4.0,  0.2, 0.06, 0.008, 0.0, 0.98, 0.12),
}
# Standard deviations of an emotion's takes about its manner, and least values of a take.
_SCATTER =       Manner( 1.0, 0.4,  1.0, 0.06,   1.5,  0.5, 0.04, 0.004, 0.1, 0.02, 0.04)
_LEAST =         Manner(-6.0, 0.3, -8.0,  0.5, -15.0, -5.0,  0.0, 0.002, 0.0,  0.8,  0.0)
# fmt: on


def load(
    root: str | PathLike[str] | None = None, speakers: int = 8, takes: int = 4, seed: int = 0
) -> Corpus:
    """Load the synthetic corpus, and make recordings that do not exist yet.

    It has RAVDESS' eight emotions, `takes` utterances of each by every speaker, 2.5 to 4.5 s long,
    16-bit WAV at 22,050 Hz. The same options give the same sound. Files appear whole or not at all,
    so that an interrupted call can be repeated.

    Args:
        root: the folder in which to make the corpus' own; by default `files.cache_directory()`.
        speakers: number of voices; odd ones are male, even ones female, as in RAVDESS.
        takes: number of utterances of each emotion by each speaker.
        seed: of the voices and all they say.

    Raises:
        ConfigurationError: fewer than one speaker or take, or a negative seed.
        CorpusError: the folder cannot be written.

    Example:
        >>> ser.corpora.load("synthetic", "sound", speakers=1, takes=1)[0].path.name
        'angry-01.wav'
    """
    for option, value, least in (("speakers", speakers, 1), ("takes", takes, 1), ("seed", seed, 0)):
        require(value >= least, option, value, f"{least} or more")
    parent = cache_directory() if root is None else Path(root).expanduser().absolute()
    folder = parent / f"synthetic-{_VERSION}-{speakers}-speakers-{takes}-takes-seed-{seed}"
    utterances = list(_utterances(folder, speakers, takes))
    try:
        for utterance in utterances:
            if not utterance.path.exists():
                _make(utterance, seed)
    except OSError as error:
        raise CorpusError(
            f"{folder}: expected to write the synthetic corpus, found {error}"
        ) from error
    return Corpus.ordered("synthetic", utterances, EMOTIONS, folder)


def _utterances(folder: Path, speakers: int, takes: int) -> Iterator[Utterance]:
    for speaker in range(1, speakers + 1):
        for emotion in EMOTIONS:
            for take in range(1, takes + 1):
                yield Utterance(
                    path=folder / f"Speaker_{speaker:02d}" / f"{emotion}-{take:02d}.wav",
                    emotion=emotion,
                    speaker=f"{speaker:02d}",
                    sex="male" if speaker % 2 else "female",
                )


def _make(utterance: Utterance, seed: int) -> None:
    """Write an utterance's sound, a function of seed, speaker, emotion and take alone."""
    speaker = int(utterance.speaker)
    emotion = EMOTIONS.index(utterance.emotion)
    take = int(utterance.path.stem.rpartition("-")[2])
    voice = _voice(utterance.sex, np.random.default_rng([seed, speaker]))
    rng = np.random.default_rng([seed, speaker, emotion, take])
    manner = _take(_MANNERS[utterance.emotion], voice.expressiveness, rng)
    duration = float(np.clip(rng.normal(3.3, 0.3) / manner.tempo**0.5, 2.5, 4.5))
    sound = speak(voice, manner, duration, rng)
    # Encoded in memory: libsndfile's error of a full disk is "System error" alone.
    wav = io.BytesIO()
    soundfile.write(wav, sound, SAMPLE_RATE, subtype="PCM_16", format="WAV")
    utterance.path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(utterance.path) as unfinished:
        unfinished.write_bytes(wav.getvalue())


def _voice(sex: str, rng: np.random.Generator) -> Voice:
    """Draw a speaker; F0 and vocal tract lengths are adults'."""
    male = sex == "male"
    return Voice(
        pitch=rng.normal(115.0, 14.0) if male else rng.normal(200.0, 18.0),
        formant_scale=rng.normal(1.0, 0.04) if male else rng.normal(1.16, 0.04),
        breathiness=rng.uniform(0.02, 0.1) if male else rng.uniform(0.05, 0.15),
        tempo=float(np.clip(rng.normal(4.2, 0.35), 3.2, 5.2)),
        expressiveness=float(np.clip(rng.normal(0.95, 0.2), 0.55, 1.4)),
    )


def _take(manner: Manner, expressiveness: float, rng: np.random.Generator) -> Manner:
    """Draw a take: the emotion's manner, nearer to or farther from neutral, with its scatter."""
    neutral = _MANNERS["neutral"]
    strength = expressiveness * rng.uniform(0.7, 1.2)
    values = {}
    for field in fields(Manner):
        middle, usual = getattr(neutral, field.name), getattr(manner, field.name)
        scattered = rng.normal(middle + strength * (usual - middle), getattr(_SCATTER, field.name))
        values[field.name] = max(float(scattered), getattr(_LEAST, field.name))
    return replace(manner, **values)
