"""The varied copies that the recordings of a corpus have: how many, and in which order."""

from __future__ import annotations

import dataclasses
from collections import Counter

from ser_keras.corpora import unlabeled
from ser_keras.corpora.utterance import Corpus
from ser_keras.features.augmentation import Augmentation
from ser_keras.fields import require


def limit_copies(augmentation: Augmentation, *subsets: Corpus) -> Augmentation:
    """Return the augmentation with no more copies than its `versions` allow of a corpus.

    A part of a corpus must have the copies that the whole has: limit them by all its subsets before
    it is divided.

    Example:
        >>> limited = limit_copies(Augmentation(copies=16, versions=100), corpus[:30], corpus[30:])
        >>> len(corpus), limited.copies_of, limited.versions
        (32, ('synthetic:2',), None)
    """
    if augmentation.versions is None:
        return augmentation
    recordings: Counter[str] = Counter()
    for subset in subsets:
        recordings.update({name: len(part) for name, part in subset.by_source().items()})
    possible = {
        name: max(augmentation.versions // count - 1, 1)
        for name, count in recordings.items()
        if name not in augmentation.named_copies
    }
    fewer = (f"{name}:{most}" for name, most in possible.items() if most < augmentation.copies)
    copies_of = (*augmentation.copies_of, *fewer)
    return dataclasses.replace(augmentation, copies_of=copies_of, versions=None)


def numbered_copies(corpus: Corpus, augmentation: Augmentation) -> list[tuple[int, int]]:
    """Return every recording of a corpus and then their varied copies: number and position.

    Raises:
        ConfigurationError: a number of copies is given for another corpus.

    Example:
        >>> numbered_copies(corpus[:2], Augmentation(copies=1))
        [(0, 0), (0, 1), (1, 0), (1, 1)]
    """
    parts = corpus.by_source()
    # A part of a corpus may have nothing of some that are joined, and no speech without labels.
    sources = (source.name for source in corpus.sources)
    names = [*dict.fromkeys([*sources, *parts])] or [corpus.name]
    for name, number in augmentation.named_copies.items():
        known = name in (*names, unlabeled.NAME)
        require(known, "copies_of", f"{name}:{number}", f"one of the corpora {', '.join(names)}")
    augmentation = limit_copies(augmentation, corpus)
    own = {at: augmentation.copies_in(name) for name, part in parts.items() for at in part}
    return [
        (copy, position)
        for copy in range(max(own.values(), default=0) + 1)
        for position in range(len(corpus))
        if copy <= own[position]
    ]
