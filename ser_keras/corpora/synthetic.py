"""A corpus of synthetic, speech-like sound, so that everything runs without any recording.

It is for trying things out and for tests: accuracy on it says nothing about speech.
"""

from __future__ import annotations

import io
import json
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

# Each emotion's manner, where it differs from the neutral one; "scatter", the standard deviations
# of takes about it; and "least", the least values of a take.
_TABLE = json.loads(Path(__file__).with_name("manners.json").read_text(encoding="utf-8"))
_MANNERS = {name: Manner(**values) for name, values in _TABLE.items()}


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
        deviation = getattr(_MANNERS["scatter"], field.name)
        scattered = rng.normal(middle + strength * (usual - middle), deviation)
        values[field.name] = max(float(scattered), getattr(_MANNERS["least"], field.name))
    return replace(manner, **values)
