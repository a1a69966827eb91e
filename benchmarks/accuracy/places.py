"""The splits of a protocol: the same parts as the VRNN's of that kind, seed and fold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

from ser_keras.corpora import splits
from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import ConfigurationError


@dataclass(frozen=True)
class Place:
    """One split of a corpus.

    Attributes:
        name: such as "seed-0" or "fold-3".
        seed: of whatever a classifier draws.
        train: the training part, a validation part included.
        test: the test part.
    """

    name: str
    seed: int
    train: Corpus
    test: Corpus


def places(corpus: Corpus, split: str, seeds: int) -> Iterator[Place]:
    """All splits of a kind that `ser_keras.corpora.splits` knows.

    Args:
        corpus: what to split.
        split: "random" gives one split per seed, any other kind all folds of the corpus.
        seeds: how many random splits, from seed 0.

    Raises:
        ConfigurationError: the kind is unknown or there are no seeds.
        CorpusError: the corpus does not hold what the kind needs.
    """
    if seeds < 1:
        raise ConfigurationError(f"--seeds: found {seeds}, expected at least 1")
    if split == "random":
        for seed in range(seeds):
            yield Place(f"seed-{seed}", seed, *splits.split(corpus, split, seed=seed))
        return
    for fold in range(splits.folds(corpus, split)):
        yield Place(f"fold-{fold}", 0, *splits.split(corpus, split, fold=fold))


def digest(corpus: Corpus) -> str:
    """Hash what a part consists of, the same on every machine."""
    members = [
        [*map(str, corpus.utterance_key(utterance)), utterance.emotion] for utterance in corpus
    ]
    return hashlib.sha256(json.dumps(members).encode()).hexdigest()
