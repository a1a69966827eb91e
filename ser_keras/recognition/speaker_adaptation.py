"""Answers relative to the person who speaks, from recordings of theirs without labels.

A voice colors all that its owner says: a model may find everything that somebody says sad. The
mean of the logits over a few recordings of theirs is what the voice does; taken off the logits of
others, it leaves what differs from that person's usual. It does not matter in which moods they
were, as long as these are not all the same; docs/recognition.md has what it gains.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import scipy.special

from ser_keras.errors import CorpusError, by_kind
from ser_keras.model.vrnn import VRNN
from ser_keras.recognition.chunks import Chunk, chunks_of
from ser_keras.recognition.recognizer import Recognizer

# Of fewer, the mean tells more about their moods than about the voice.
FEWEST = 3
BATCH_SIZE = 32  # recordings that are recognized together
# Seconds: a longer recording is more than a sentence, and counts as several. Models answer for the
# end of what they hear, and were trained on sentences.
LONGEST = 10.0
STRETCH = (2.0, 6.0)  # what it is cut into, at the softest moment between
FRAME = 0.05


def logits_of(probabilities: np.ndarray) -> np.ndarray:
    """Return logits of probabilities, up to a constant of each row: float64 [..., C].

    A probability that is too small for float32 is not nothing.

    Example:
        >>> logits_of(np.array([[0.5, 0.5]])).round(3).tolist()
        [[-0.693, -0.693]]
    """
    values = np.asarray(probabilities, np.float64)
    return np.log(np.maximum(values, np.finfo(np.float32).tiny))


def usual_logits(probabilities: np.ndarray) -> np.ndarray:
    """Return the mean logits of a person's recordings, up to a constant: their mean is 0.

    Args:
        probabilities: at the end of each recording, [N, C].

    Returns:
        Float64 [C].

    Example:
        >>> usual_logits(np.array([[0.5, 0.5], [0.8, 0.2]])).round(3).tolist()
        [0.347, -0.347]
    """
    logits = logits_of(probabilities).mean(axis=0)
    return np.asarray(logits - logits.mean())


def relative(probabilities: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """Return the probabilities that are left when a person's usual logits are taken off.

    Args:
        probabilities: [..., C].
        usual: logits, [..., C] or [C], as `usual_logits` returns them.

    Example:
        >>> always_sad = np.array([[0.1, 0.9]])
        >>> relative(always_sad, usual_logits(always_sad)).round(3).tolist()
        [[0.5, 0.5]]
    """
    return np.asarray(scipy.special.softmax(logits_of(probabilities) - usual, axis=-1))


def adapt_to_speaker(
    model: VRNN, recordings: Iterable[str | os.PathLike[str]], channel: int | None = None
) -> VRNN:
    """Make a model whose answers are relative to one person's usual ones.

    It differs in the bias of the class logits alone, so that it is saved, exported, served and
    explained as any other. A recording of more than `LONGEST` seconds is cut at pauses, into
    stretches within `STRETCH`, each of which counts as one. Recordings that are silent
    or cannot be used are named on standard error, and left out.

    Args:
        model: a trained model, which stays as it is.
        recordings: paths of recordings of one person, of a sentence or more each.
        channel: the channel that the person is on, from 0; None for the mean of all.

    Returns:
        The adapted model.

    Raises:
        CorpusError: fewer than `FEWEST` recordings or stretches can be used.

    Example:
        >>> adapted = adapt_to_speaker(model, [each.path for each in corpus[:8]])
        >>> answers = ser.Recognizer(adapted).recognize_files([each.path for each in corpus[:8]])
        >>> found = np.array([list(answer["probabilities"].values()) for answer in answers])
        >>> bool(np.allclose(usual_logits(found), 0, atol=1e-4))
        True
    """
    recognizer = Recognizer(model)
    probabilities, left_out = [], []
    for line in recognizer.recognize_files(recordings, False, channel, BATCH_SIZE):
        if "error" in line or line["silent"]:
            reason = line.get("error", "expected speech, found silence")
            left_out.append((line["file"], reason))
            continue
        is_long = line["duration"] > LONGEST
        for answer in _of_stretches(recognizer, line["file"], channel) if is_long else [line]:
            probabilities.append([answer["probabilities"][emotion] for emotion in model.classes])
    for each in by_kind(left_out):
        print(f"speaker: skipped {each}", file=sys.stderr)
    if len(probabilities) < FEWEST:
        raise CorpusError(
            f"speaker: expected at least {FEWEST} recordings that can be used, found "
            f"{len(probabilities)}"
        )
    adapted = VRNN.from_config(model.get_config())
    adapted.set_weights(model.get_weights())
    # The logits are divided by the temperature after the bias has been added.
    usual = usual_logits(np.array(probabilities)) * float(model.cell.temperature.numpy())
    bias = adapted.cell.class_logits.bias
    bias.assign(bias.numpy() - usual.astype(np.float32))
    return adapted


def _of_stretches(
    recognizer: Recognizer, path: str, channel: int | None
) -> Iterator[dict[str, Any]]:
    """Answer the stretches of a long recording but for silent ones, and for the rest at its end."""
    for samples, rate in _stretches(chunks_of(path, channel=channel)):
        answer = recognizer.recognize(samples, rate, attention=False)
        if not answer["silent"]:
            yield answer


def _stretches(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """Cut chunks that follow one another where they are softest within `STRETCH`.

    What is left behind the last cut is a stretch too, unless it is shorter than all others.
    """
    held, rate, first = np.zeros(0, np.float32), 0, 0
    for samples, rate in chunks:
        held = np.concatenate([held, samples])
        first, last, frame = (round(seconds * rate) for seconds in (*STRETCH, FRAME))
        while len(held) >= last:
            frames = held[first : first + (last - first) // frame * frame].reshape(-1, frame)
            softest = int(np.argmin(np.square(frames).mean(axis=1)))
            cut = first + softest * frame + frame // 2
            yield held[:cut], rate
            held = held[cut:]
    if len(held) >= first > 0:
        yield held, rate
