"""Several models' answers as what one model learns (Hinton et al. 2015, arXiv:1503.02531).

A recording and its varied copies sound differently and mean the same. So they share one target,
the mean of the answers to all of them: it is better than each, and teaches the model to answer
alike whatever room or codec a recording went through.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.progress import track

from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import ConfigurationError
from ser_keras.features.augmentation import Augmentation
from ser_keras.features.extraction import Extraction, extract_corpus
from ser_keras.files import replacing
from ser_keras.model import files as model_files
from ser_keras.model.vrnn import VRNN
from ser_keras.training import pipeline

# Utterances whose observations, and those of all their copies, are in memory at once for a teacher.
# Each chunk starts worker processes of its own where features are not cached.
CHUNK = 256
BATCH = 64


def targets(
    teachers: Sequence[str],
    share: float,
    corpus: Corpus,
    augmentation: Augmentation,
    extraction: Extraction,
    classes: Sequence[str],
    kept: Path | None = None,
    progress: bool = True,
) -> np.ndarray:
    """Mix the labels of utterances with the mean of the teachers' answers to all their copies.

    A teacher answers with its own features, whatever those of the model that learns are. An
    utterance that one of them cannot use keeps its label.

    Args:
        teachers: trained models, as `ser_keras.model.files.load` takes.
        share: of the teachers' probabilities, 0 to 1; the rest is the label's.
        corpus: the utterances to learn from.
        augmentation: of their varied copies.
        extraction: of both, for the model that learns.
        classes: of that model; the teachers must have the same, in any order.
        kept: a folder for the answers of each teacher, so that a training that was killed does not
            ask again; None asks.
        progress: show a progress bar on standard error.

    Returns:
        Probabilities of the classes, float32 [N, C], for each of the extraction's observations;
        without a label they add up to `share`, so that the class term counts as much less.

    Raises:
        ConfigurationError: a teacher has other classes, or is no model.

    Example:
        >>> model.save("teacher.keras")
        >>> extraction = extract_corpus(corpus[:3], model.features, progress=False)
        >>> options = corpus[:3], Augmentation(), extraction, model.classes
        >>> found = targets(["teacher.keras"], 0.5, *options, progress=False)
        >>> found.sum(axis=1).round(3).tolist()
        [1.0, 1.0, 1.0]
    """
    numbers = extraction.corpus.labels(classes)
    # A last row of zeros: what has no label, -1, learns from the teachers alone.
    labels = np.eye(len(classes) + 1, len(classes), dtype=np.float32)[numbers]
    answers = []
    for number, name in enumerate(teachers, start=1):
        teacher = _load(name, classes)
        path = kept and kept / f"{_identity(teacher, corpus, augmentation)}.npy"
        told = f"Asking teacher {number} of {len(teachers)}" if progress else None
        if (found := _read(path, (len(corpus), len(classes)))) is None:
            found = _answers(teacher, corpus, augmentation, told)
            _write(path, found)
        answers.append(found[:, [teacher.classes.index(emotion) for emotion in classes]])
    mean = np.mean(answers, axis=0)[extraction.indexes % len(corpus)]
    answered = np.isfinite(mean).all(axis=1, keepdims=True)
    return np.where(answered, share * mean + (1.0 - share) * labels, labels).astype(np.float32)


def _load(name: str, classes: Sequence[str]) -> VRNN:
    teacher = model_files.load(name)
    if set(teacher.classes) != set(classes):
        raise ConfigurationError(
            f"teacher {name}: expected the classes {', '.join(classes)}, found "
            f"{', '.join(teacher.classes)}"
        )
    return teacher


def _answers(
    teacher: VRNN, corpus: Corpus, augmentation: Augmentation, told: str | None
) -> np.ndarray:
    """Return a teacher's mean probabilities over an utterance and its copies, float32 [N, C].

    The order of the classes is the teacher's. NaN for utterances of which it can use none.

    Args:
        teacher: a trained model.
        corpus: the utterances.
        augmentation: of their varied copies.
        told: what a progress bar says; None for no bar.
    """
    # Not `predict`, which would keep every instant's attention too.
    answer = tf.function(lambda inputs: teacher(inputs)["probabilities"], reduce_retracing=True)
    total = np.zeros((len(corpus), len(teacher.classes)), np.float32)
    count = np.zeros((len(corpus), 1), np.float32)
    chunks = range(0, len(corpus), CHUNK)
    console = Console(stderr=True)
    for first in track(chunks, told or "", console=console, disable=told is None):
        chunk = corpus.subset(range(first, min(first + CHUNK, len(corpus))))
        extracted = extract_corpus(
            chunk, teacher.features, augmentation=augmentation, progress=False
        )
        if not len(extracted.indexes):
            continue
        batches = pipeline.batches(extracted, BATCH, classes=teacher.classes)
        probabilities = np.concatenate([answer(inputs).numpy() for inputs, _ in batches])
        utterances = first + extracted.indexes % len(chunk)
        np.add.at(total, utterances, probabilities)
        np.add.at(count, utterances, 1.0)
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def _identity(teacher: VRNN, corpus: Corpus, augmentation: Augmentation) -> str:
    """Return a name for all that a teacher's answers follow from."""
    digest = hashlib.sha256()
    for weight in teacher.get_weights():
        digest.update(np.ascontiguousarray(weight).data)
    segments = [(str(each.path), each.start, each.end, each.channel) for each in corpus]
    described = [teacher.classes, teacher.preset.to_dict(), augmentation.to_dict(), segments]
    digest.update(json.dumps(described, sort_keys=True).encode())
    return digest.hexdigest()


def _read(path: Path | None, shape: tuple[int, int]) -> np.ndarray | None:
    """Return the answers that are kept at a path; None if there are none as they were written."""
    if path is None or not path.is_file():
        return None
    try:
        found = np.load(path, allow_pickle=False)
    except (ValueError, EOFError):
        return None
    return found if found.shape == shape else None


def _write(path: Path | None, answers: np.ndarray) -> None:
    if path is not None:
        path.parent.mkdir(exist_ok=True)
        with replacing(path) as temporary:
            np.save(temporary, answers)
