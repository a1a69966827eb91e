"""The splits of a protocol: the same subsets as the VRNN's of that kind, seed and fold."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ser_keras.corpora import splits
from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import ConfigurationError
from ser_keras.fields import require
from ser_keras.training import run as training


@dataclass(frozen=True)
class NamedSplit:
    """One split of a corpus.

    Attributes:
        name: such as "seed-0" or "fold-3", or a run's.
        kind: the kind of split, such as "speaker".
        seed: seed of the classifiers that are trained on it.
        train: the training subset, a validation subset included.
        test: the test subset.
    """

    name: str
    kind: str
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
            yield NamedSplit(f"seed-{seed}", kind, seed, *splits.split(corpus, kind, seed=seed))
        return
    for fold in range(splits.folds(corpus, kind)):
        yield NamedSplit(f"fold-{fold}", kind, 0, *splits.split(corpus, kind, fold=fold))


def of_runs(folders: Sequence[Path]) -> tuple[Corpus, list[NamedSplit]]:
    """Return the corpus of runs, and the split that each was trained on.

    Where a corpus is left out, so are its utterances of emotions that no other has.

    Raises:
        ConfigurationError: a folder holds no run, or one of another corpus than the first.
    """
    runs = [training.read_run(folder) for folder in folders]
    corpus = runs[0].load_corpus()
    found = []
    for folder, run in zip(folders, runs, strict=True):
        theirs, first = ((one.corpus, one.joined) for one in (run, runs[0]))
        if theirs != first:
            raise ConfigurationError(f"{folder}: expected a run on {first}, found {theirs}")
        # The validation subset is for training, too, as it is for a baseline.
        subsets = training.split_corpus(dataclasses.replace(run, validation_fraction=0.0))
        train, test = subsets["train"], subsets["test"]
        known = training.classes_of(run, train)
        test = test.subset([index for index, one in enumerate(test) if one.emotion in known])
        found.append(NamedSplit(folder.name, run.split, run.seed, train, test))
    return corpus, found


def digest(corpus: Corpus) -> str:
    """Hash the utterances of a subset; the same on every machine."""
    members = [
        [*map(str, corpus.utterance_key(utterance)), utterance.emotion] for utterance in corpus
    ]
    return hashlib.sha256(json.dumps(members).encode()).hexdigest()
