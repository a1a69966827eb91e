"""Answers relative to what is usual of each speaker, beside those that know nobody."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ser_keras.errors import CorpusError
from ser_keras.recognition.speaker_adaptation import FEWEST, logits_of, relative

COLUMN = "predicted_adapted"  # of the answers in `predictions.csv`


def known(speakers: Sequence[str]) -> list[list[int]]:
    """Return the utterances, by index, of each speaker with enough of them to adapt to.

    Args:
        speakers: of the utterances, "" where that is not known.

    Raises:
        CorpusError: no speaker has more than `speaker_adaptation.FEWEST`.

    Example:
        >>> known(["ann", "ann", "", "bob", "ann", "ann"])
        [[0, 1, 4, 5]]
    """
    indexes: dict[str, list[int]] = {}
    for index, speaker in enumerate(speakers):
        if speaker:
            indexes.setdefault(speaker, []).append(index)
    enough = [own for own in indexes.values() if len(own) > FEWEST]
    if not enough:
        raise CorpusError(
            f"speakers: expected one with more than {FEWEST} utterances, to adapt to, found "
            f"{len(indexes)} with fewer"
        )
    return enough


def adapt(probabilities: np.ndarray, speakers: Sequence[str]) -> np.ndarray:
    """Answer each utterance as the model adapted to its speaker by all the others of theirs.

    Args:
        probabilities: of the model that knows nobody, [N, C].
        speakers: of the utterances, "" where that is not known; these, and those of fewer than
            `speaker_adaptation.FEWEST` others, stay as they are.

    Returns:
        Probabilities, [N, C].

    Raises:
        CorpusError: no speaker has so many.

    Example:
        >>> always_sad = np.array([[0.1, 0.9], [0.1, 0.9], [0.1, 0.9], [0.4, 0.6]])
        >>> adapt(always_sad, ["ann"] * 4)[3].round(2).tolist()
        [0.86, 0.14]
    """
    adapted = np.array(probabilities, np.float64)
    for own in known(speakers):
        logits = logits_of(probabilities[own])
        of_others = (logits.sum(axis=0) - logits) / (len(own) - 1)
        adapted[own] = relative(probabilities[own], of_others)
    return adapted
