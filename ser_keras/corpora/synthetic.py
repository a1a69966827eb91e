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
VERSION = 1

MANNERS = {
    "neutral": Manner(),
    "calm": Manner(
        pitch=-1.0, pitch_range=1.4, tempo=0.87, level=-3.0, tilt=-1.2, breathiness=0.1, pause=0.18
    ),
    "happy": Manner(
        pitch=5.0, pitch_range=4.0, final_pitch=1.0, tempo=1.12, level=4.0, tilt=1.2, formants=1.07
    ),
    "sad": Manner(
        pitch=-1.5, pitch_range=1.0, final_pitch=-3.0, tempo=0.74, level=-6.0, tilt=-2.4,
        breathiness=0.22, jitter=0.016, pause=0.24,
    ),
    "angry": Manner(
        pitch=4.0, pitch_range=3.2, final_pitch=-4.0, tempo=1.1, level=9.0, tilt=3.2, jitter=0.025,
        formants=1.02, pause=0.06,
    ),
    "fearful": Manner(
        pitch=7.0, pitch_range=2.0, final_pitch=0.0, tempo=1.25, level=2.0, tilt=0.3,
        breathiness=0.25, jitter=0.03, tremor=0.7,
    ),
    "disgust": Manner(
        pitch=-0.5, pitch_range=2.4, final_pitch=-4.0, tempo=0.84, level=0.0, tilt=0.8,
        jitter=0.03, formants=0.93, pause=0.16,
    ),
    "surprised": Manner(
        pitch=6.0, pitch_range=4.5, final_pitch=7.0, tempo=1.0, level=4.0, tilt=0.2,
        breathiness=0.06, formants=0.98,
    ),
}  # fmt: skip

# Standard deviations of takes of one emotion about its manner, and the least values of a take.
SCATTER = Manner(
    pitch=1.0, pitch_range=0.4, final_pitch=1.0, tempo=0.06, level=1.5, tilt=0.5,
    breathiness=0.04, jitter=0.004, tremor=0.1, formants=0.02, pause=0.04,
)  # fmt: skip
LEAST = Manner(
    pitch=-6.0, pitch_range=0.3, final_pitch=-8.0, tempo=0.5, level=-15.0, tilt=-5.0,
    breathiness=0.0, jitter=0.002, tremor=0.0, formants=0.8, pause=0.0,
)  # fmt: skip


def load(
    root: str | PathLike[str] | None = None, speakers: int = 8, takes: int = 4, seed: int = 0
) -> Corpus:
    """Load the synthetic corpus, and make what of it does not exist yet.

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
    folder = parent / f"synthetic-{VERSION}-{speakers}-speakers-{takes}-takes-seed-{seed}"
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
    manner = _take(MANNERS[utterance.emotion], voice.expressiveness, rng)
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
    neutral = MANNERS["neutral"]
    strength = expressiveness * rng.uniform(0.7, 1.2)
    values = {}
    for field in fields(Manner):
        middle, usual = getattr(neutral, field.name), getattr(manner, field.name)
        scattered = rng.normal(middle + strength * (usual - middle), getattr(SCATTER, field.name))
        values[field.name] = max(float(scattered), getattr(LEAST, field.name))
    return replace(manner, **values)
