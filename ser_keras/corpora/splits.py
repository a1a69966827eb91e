"""Splits of a corpus into subsets: random, by speaker, session or joined corpus, or predefined.

Every split is a function of the set of utterances and the seed alone: the order in which they were
found, the machine and Python's hash seed change nothing. No recording is divided between subsets:
what is left of one in the test subset is in neither, and counted in a warning. Functions return
(training, test) subsets in the corpus' order. They raise ConfigurationError for an option that is
out of range, and CorpusError for a corpus that lacks what the split needs, such as every
utterance's speaker.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence

import numpy as np

from ser_keras.corpora.fold_groups import FOLDED, fold_groups
from ser_keras.corpora.split_file import read, write
from ser_keras.corpora.utterance import Corpus
from ser_keras.corpora.whole_recordings import draw, left_by, recordings_of
from ser_keras.errors import CorpusError
from ser_keras.fields import require

__all__ = [
    "KINDS", "by_corpus", "by_session", "by_speaker", "folds", "predefined", "random", "read",
    "split", "validation", "write",
]  # fmt: skip

KINDS = ("random", "speaker", "session", "corpus", "predefined")
_SUBSETS = ("train", "validation", "test")

Split = tuple[Corpus, Corpus]


def random(corpus: Corpus, test_fraction: float = 0.2, seed: int = 0) -> Split:
    """Draw a test subset of whole recordings, stratified by emotion; the paper's for RAVDESS.

    Each emotion, of each corpus where several are joined, gives round(test_fraction * count)
    utterances to the test subset, and at least one to each subset; where recordings hold several
    utterances, as near to it as whole ones come.

    Example:
        >>> train, test = ser.splits.random(corpus, test_fraction=0.25, seed=7)
        >>> len(train), len(test)
        (24, 8)
    """
    between = "more than 0 and less than 1"
    require(0 < test_fraction < 1, "test_fraction", test_fraction, between)
    require(seed >= 0, "seed", seed, "0 or more")
    labels, recordings = corpus.labels(), recordings_of(corpus)
    order = corpus.sorted_indexes()  # the order in which utterances were found must not matter
    strata: dict[tuple[str, int], list[int]] = {}
    for index in order:
        strata.setdefault((corpus[index].corpus, int(labels[index])), []).append(index)
    subset_of: dict[int, str] = {}  # by recording

    def spread(stratum: tuple[str, int]) -> tuple[int, tuple[str, int]]:
        return len({recordings[index] for index in strata[stratum]}), stratum

    # First those of the fewest recordings, which another emotion's draw may use up.
    for stratum in sorted(strata, key=spread):
        members, (_, label) = strata[stratum], stratum
        emotion = corpus.emotions[label]
        if spread(stratum)[0] < 2:
            raise CorpusError(
                f"{emotion!r}: expected 2 recordings or more, one to train and one to test, found "
                f"{corpus[members[0]].path} alone"
            )
        draw(members, recordings, test_fraction, [seed, label], subset_of)
        if all(subset_of[recordings[index]] == "test" for index in members):
            raise CorpusError(
                f"{emotion!r}: expected recordings to train on, found all of them drawn to test, "
                "since they hold other emotions too; another seed draws others"
            )
    return _train_and_test(
        corpus, [index for index in order if subset_of[recordings[index]] == "test"]
    )


def by_speaker(corpus: Corpus, fold: int, folds: int | None = None, seed: int = 0) -> Split:
    """Leave a group of speakers out of training, and test on them.

    RAVDESS has 6 fixed groups of two men and two women, actors 4g+1 to 4g+4; EMO-DB, SAVEE, TESS,
    EMOVO and EmoTale leave one speaker out; other corpora have 5 groups drawn with the seed,
    balanced by sex. Where corpora are joined, each group has speakers of each: there are as many
    groups as the corpus with the fewest has, and that one keeps its own.

    Args:
        corpus: every utterance needs a speaker.
        fold: number of the group to test on, from 0.
        folds: number of groups to draw instead of the corpus' own.
        seed: of the draw; fixed groups do not depend on it.

    Example:
        >>> train, test = ser.splits.by_speaker(corpus, fold=0)
        >>> set(train.speakers) & set(test.speakers)
        set()
    """
    require(seed >= 0, "seed", seed, "0 or more")
    return _one_group_out(corpus, "speaker", fold_groups(corpus, "speaker", folds, seed), fold)


def by_session(corpus: Corpus, fold: int) -> Split:
    """Leave one session out of training, and test on it; the paper's protocol for IEMOCAP.

    Example:
        >>> iemocap = ser.corpora.load("iemocap", "/data/IEMOCAP")  # doctest: +SKIP
        >>> ser.splits.by_session(iemocap, fold=4)[1].sessions  # doctest: +SKIP
        ('Session5',)
    """
    return _one_group_out(corpus, "session", fold_groups(corpus, "session"), fold)


def by_corpus(corpus: Corpus, fold: int) -> Split:
    """Leave one of several joined corpora out of training, and test on it.

    Example:
        >>> other = ser.corpora.load("synthetic", "sound", speakers=1, takes=1, seed=1)
        >>> train, test = ser.splits.by_corpus(ser.corpora.join([corpus, other]), fold=1)
        >>> len(train), len(test)
        (32, 8)
    """
    return _one_group_out(corpus, "corpus", fold_groups(corpus, "corpus"), fold)


def predefined(corpus: Corpus) -> Split:
    """Split as the corpus itself says; its validation subset stays in the training subset.

    Example:
        >>> from dataclasses import replace
        >>> from ser_keras.corpora import Corpus
        >>> one, other = replace(corpus[0], split="train"), replace(corpus[1], split="test")
        >>> train, test = ser.splits.predefined(Corpus("own", (one, other), corpus.emotions))
        >>> test[0] == other
        True
    """
    for utterance in corpus:
        if utterance.split not in _SUBSETS:
            expected = f"expected one of {', '.join(_SUBSETS)}, found {utterance.split!r}"
            raise CorpusError(f"{utterance.path}: split: {expected}")
    test = [index for index, utterance in enumerate(corpus) if utterance.split == "test"]
    if not 0 < len(test) < len(corpus):
        raise CorpusError(
            f"predefined split of {corpus.name}: expected utterances to train and to test, "
            f"found {len(test)} of {len(corpus)} to test"
        )
    return _train_and_test(corpus, test)


def validation(training: Corpus, kind: str, fraction: float, seed: int = 0) -> Split:
    """Hold a validation subset out of a training subset.

    Out of that of a split by speaker, session or corpus, whole speakers are held out, women and
    men in turn, of each corpus where several are joined, so that what is fitted to the validation
    subset fits people not trained on.

    Args:
        training: the training subset of a split of that kind.
        kind: as `split` takes it; a predefined split has its own validation subset.
        fraction: share to draw where the corpus names no validation subset. Of speakers, as many as
            come nearest, but one at least; each emotion stays in training.
        seed: of the draw.

    Returns:
        (training, validation).

    Example:
        >>> train, validation = ser.splits.validation(corpus, "random", fraction=0.25)
        >>> len(train), len(validation)
        (24, 8)
        >>> train, validation = ser.splits.validation(corpus, "speaker", fraction=0.25)
        >>> train.speakers, validation.speakers
        (('02',), ('01',))
    """
    named = [index for index, one in enumerate(training) if one.split == "validation"]
    if kind == "predefined" and 0 < len(named) < len(training):
        return _train_and_test(training, named)
    if kind in FOLDED:
        known = all(utterance.speaker for utterance in training)
        held_out = [
            index
            for name, part in training.by_source().items()
            for index in _held_out(
                training, part, name, "speaker" if known else "session", fraction, seed
            )
        ]
        return _train_and_test(training, held_out)
    return random(training, fraction, seed)


def _held_out(
    training: Corpus, part: Sequence[int], name: str, attribute: str, fraction: float, seed: int
) -> list[int]:
    """Return the utterances held out of a part: those of whole groups, or else drawn ones."""
    corpus = training.subset(part)
    if found := _groups_held_out(corpus, attribute, fraction, seed):
        return [part[index] for index in found]
    warnings.warn(
        f"{name}: the validation subset is drawn at random: no {attribute} can be held out of "
        "training, which would lose an emotion or all",
        stacklevel=3,
    )
    drawn = set(random(corpus, fraction, seed)[1])
    return [index for index in part if training[index] in drawn]


def _groups_held_out(corpus: Corpus, attribute: str, fraction: float, seed: int) -> list[int]:
    """Return the utterances of some speakers or sessions, about a share of all; or none."""
    between = "more than 0 and less than 1"
    require(0 < fraction < 1, "validation_fraction", fraction, between)
    members: dict[str, list[int]] = {}
    for index in corpus.sorted_indexes():
        members.setdefault(getattr(corpus[index], attribute), []).append(index)
    sex_of = {getattr(utterance, attribute): utterance.sex for utterance in corpus}
    turns: Counter[str] = Counter()
    turn_of: dict[str, int] = {}
    for value in np.random.default_rng(seed).permutation(sorted(members)).tolist():
        turn_of[value] = turns[sex_of[value]]
        turns[sex_of[value]] += 1
    in_turn = sorted(turn_of, key=lambda value: turn_of[value])  # stable
    wanted, present = fraction * len(corpus), set(corpus.labels())
    recordings = recordings_of(corpus)
    possible = [
        value
        for value in in_turn
        if set(corpus.subset(left_by(recordings, members[value])[0]).labels()) == present
    ]
    held_out: list[int] = []
    for value in possible:
        more = held_out + members[value]
        rest, _ = left_by(recordings, more)
        nearer = abs(len(more) - wanted) < abs(len(held_out) - wanted)
        if nearer and set(corpus.subset(rest).labels()) == present:
            held_out = more
    return held_out or min((members[value] for value in possible), key=len, default=[])


def folds(corpus: Corpus, kind: str, groups: int | None = None) -> int:
    """Return the number of folds that a kind of split has; 1 for random and predefined splits.

    `groups` is the number of groups of speakers where it is not the corpus' own.

    Example:
        >>> ser.splits.folds(corpus, "speaker")
        2
    """
    require(kind in KINDS, "split", kind, f"one of {', '.join(KINDS)}")
    return len(fold_groups(corpus, kind, groups)) if kind in FOLDED else 1


def split(
    corpus: Corpus,
    kind: str,
    fold: int = 0,
    test_fraction: float = 0.2,
    seed: int = 0,
    folds: int | None = None,
) -> Split:
    """Make the split of a kind: one of `KINDS`; the other arguments are those of its function.

    Example:
        >>> train, test = ser.splits.split(corpus, "random", test_fraction=0.5)
        >>> len(train), len(test)
        (16, 16)
    """
    require(kind in KINDS, "split", kind, f"one of {', '.join(KINDS)}")
    if kind == "random":
        return random(corpus, test_fraction, seed)
    if kind == "speaker":
        return by_speaker(corpus, fold, folds, seed)
    if kind == "predefined":
        return predefined(corpus)
    return by_session(corpus, fold) if kind == "session" else by_corpus(corpus, fold)


def _one_group_out(corpus: Corpus, attribute: str, groups: Sequence[set[str]], fold: int) -> Split:
    last = len(groups) - 1
    require(0 <= fold <= last, "fold", fold, f"0 to {last} for {corpus.name} by {attribute}")
    values = [getattr(utterance, attribute) for utterance in corpus]
    test = [index for index, value in enumerate(values) if value in groups[fold]]
    return _train_and_test(corpus, test)


def _train_and_test(corpus: Corpus, test: Sequence[int]) -> Split:
    """Divide a corpus; what is left of a recording in the test subset is in neither."""
    train, left_out = left_by(recordings_of(corpus), test)
    if not train:
        raise CorpusError(
            f"{corpus.name}: expected recordings to train on, found every one in the test subset"
        )
    if left_out:
        warnings.warn(
            f"{corpus.name}: left {len(left_out)} utterances out of training, since others of "
            f"their recordings are held out, such as {corpus[left_out[0]].path}",
            stacklevel=2,
        )
    return corpus.subset(train), corpus.subset(sorted(test))
