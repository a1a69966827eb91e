"""Which utterances are of one recording, so that no split divides it between subsets."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path

import numpy as np

from ser_keras.corpora.utterance import Corpus


def recordings_of(corpus: Corpus) -> list[int]:
    """Return the number of each utterance's recording, counted as they come in the corpus.

    Segments of one file are of one recording, whether they overlap or not: what lies before and
    behind them was heard in the same room. Paths that lead to one file are one.

    Example:
        >>> recordings_of(corpus[:3])
        [0, 1, 2]
    """
    file_of = {path: _file(path) for path in {utterance.path for utterance in corpus}}
    number_of: dict[Hashable, int] = {}
    return [number_of.setdefault(file_of[utterance.path], len(number_of)) for utterance in corpus]


def left_by(recordings: Sequence[int], chosen: Iterable[int]) -> tuple[list[int], list[int]]:
    """Find what is left of a corpus when some utterances are taken out of it.

    Args:
        recordings: the number of each utterance's recording, as from `recordings_of`.
        chosen: indexes of the utterances taken out.

    Returns:
        Indexes of the other utterances, first those of recordings that nothing was taken of, then
        those of recordings that something was taken of; both ascending.

    Example:
        >>> left_by(recordings_of(corpus[:3]), [1])
        ([0, 2], [])
    """
    taken = set(chosen)
    touched = {recordings[index] for index in taken}
    others = [index for index in range(len(recordings)) if index not in taken]
    whole = [index for index in others if recordings[index] not in touched]
    return whole, [index for index in others if recordings[index] in touched]


def draw(
    members: Sequence[int],
    recordings: Sequence[int],
    fraction: float,
    seed: Sequence[int],
    subset_of: dict[int, str],
) -> None:
    """Draw those recordings of one emotion to test or train that are in no subset yet.

    Args:
        members: indexes of the emotion's utterances.
        recordings: the number of each utterance's recording, as from `recordings_of`.
        fraction: share of the utterances to test.
        seed: of the draw.
        subset_of: "test" or "train" by recording; gains what is drawn.

    Example:
        >>> subset_of = {}
        >>> draw([0, 1, 2, 3], [0, 0, 1, 1], fraction=0.5, seed=[0], subset_of=subset_of)
        >>> sorted(subset_of.values())
        ['test', 'train']
    """
    counts = Counter(recordings[index] for index in members)
    wanted = min(max(round(fraction * len(members)), 1), len(members) - 1)
    in_test = sum(count for one, count in counts.items() if subset_of.get(one) == "test")
    to_train = sum(subset_of.get(one) != "test" for one in counts)  # as long as none is drawn
    first_of = {recordings[index]: index for index in reversed(members)}
    free = [first_of[one] for one in counts if one not in subset_of]
    # One generator per emotion: the draw of one does not depend on the others' counts.
    drawn = [recordings[index] for index in np.random.default_rng(seed).permutation(free)]
    for one in drawn:
        nearer = abs(in_test + counts[one] - wanted) < abs(in_test - wanted)
        subset_of[one] = "test" if nearer and to_train > 1 else "train"
        if subset_of[one] == "test":
            in_test, to_train = in_test + counts[one], to_train - 1
    if not in_test and len(drawn) > 1:
        subset_of[min(drawn, key=lambda one: counts[one])] = "test"


def _file(path: Path) -> Hashable:
    """Return what tells a file from all others: where it lies on which disk, or else its path."""
    try:
        found = path.stat()
    except OSError:  # not there; reading it will say so
        return os.path.realpath(path)
    return found.st_dev, found.st_ino
