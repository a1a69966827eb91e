"""The splits of a protocol: the same subsets as the VRNN's of that kind, seed and fold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

from ser_keras.corpora import splits
from ser_keras.corpora.utterance import Corpus
from ser_keras.fields import require


@dataclass(frozen=True)
class NamedSplit:
    """One split of a corpus.

    Attributes:
        name: such as "seed-0" or "fold-3".
        seed: seed of the classifiers that are trained on it.
        train: the training subset, a validation subset included.
        test: the test subset.
    """

    name: str
    seed: int
    train: Corpus
    test: Corpus


def all_splits(corpus: Corpus, kind: str, seeds: int) -> Iterator[NamedSplit]:
    """Yield all splits of a kind that `ser_keras.corpora.splits` knows.

    Args:
        corpus: the corpus to split.
        kind: "random" gives one split per seed, any other kind all folds of the corpus.
        seeds: number of random splits, from seed 0.

    Raises:
        ConfigurationError: the kind is unknown or there are no seeds.
        CorpusError: the corpus does not hold what the kind needs.
    """
    require(seeds >= 1, "--seeds", seeds, "at least 1")
    if kind == "random":
        for seed in range(seeds):
            yield NamedSplit(f"seed-{seed}", seed, *splits.split(corpus, kind, seed=seed))
        return
    for fold in range(splits.folds(corpus, kind)):
        yield NamedSplit(f"fold-{fold}", 0, *splits.split(corpus, kind, fold=fold))


def digest(corpus: Corpus) -> str:
    """Hash the utterances of a subset; the same on every machine."""
    members = [
        [*map(str, corpus.utterance_key(utterance)), utterance.emotion] for utterance in corpus
    ]
    return hashlib.sha256(json.dumps(members).encode()).hexdigest()
