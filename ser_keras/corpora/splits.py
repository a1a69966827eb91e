"""Training and test parts of a corpus: random, one speaker group out, one session out, predefined.

Every split is a function of the set of utterances and the seed alone: the order in which they were
found, the machine and Python's hash seed change nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ser_keras.corpora.split_file import read, write
from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import ConfigurationError, CorpusError

__all__ = [
    "KINDS",
    "by_session",
    "by_speaker",
    "folds",
    "predefined",
    "random",
    "read",
    "split",
    "validation",
    "write",
]

KINDS = ("random", "speaker", "session", "predefined")

DEFAULT_SPEAKER_FOLDS = 5
RAVDESS_GROUP_SIZE = 4  # odd actors are men, even ones women: four in a row are two of each
ONE_SPEAKER_OUT = ("emodb", "savee", "tess")

Split = tuple[Corpus, Corpus]


def random(corpus: Corpus, test_fraction: float = 0.2, seed: int = 0) -> Split:
    """A random test part, stratified by emotion; the paper's protocol for RAVDESS.

    Each emotion gives round(test_fraction * count) utterances to the test part, and at least one
    to each part.

    Returns:
        (train, test), both in the corpus' order.

    Raises:
        ConfigurationError: the fraction is not between 0 and 1, or the seed is negative.
        CorpusError: an emotion has a single utterance, which cannot be in both parts.
    """
    if not 0 < test_fraction < 1:
        raise ConfigurationError(
            f"test_fraction: expected more than 0 and less than 1, found {test_fraction}"
        )
    _check_seed(seed)
    labels = corpus.labels()
    test: list[int] = []
    for label, emotion in enumerate(corpus.emotions):
        members = [index for index in _in_order(corpus) if labels[index] == label]
        if not members:
            continue
        if len(members) < 2:
            raise CorpusError(
                f"emotion {emotion!r} has {len(members)} utterance ({corpus[members[0]].path}); "
                "a random split needs 2, one to train and one to test"
            )
        size = min(max(round(test_fraction * len(members)), 1), len(members) - 1)
        # One generator per emotion: what happens to one does not depend on the others' counts.
        test += np.random.default_rng([seed, label]).permutation(members)[:size].tolist()
    return _train_and_test(corpus, test)


def by_speaker(corpus: Corpus, fold: int, folds: int | None = None, seed: int = 0) -> Split:
    """A test part of speakers who are not heard in training.

    RAVDESS has 6 fixed groups of two men and two women, actors 4g+1 to 4g+4; EMO-DB, SAVEE and TESS
    leave one speaker out; other corpora have 5 groups drawn with the seed, balanced by sex.

    Args:
        corpus: every utterance needs a speaker.
        fold: which group is the test part, from 0.
        folds: number of groups to draw instead of the corpus' own.
        seed: of the draw; fixed groups do not depend on it.

    Returns:
        (train, test), both in the corpus' order.

    Raises:
        ConfigurationError: there is no such fold, or there are fewer speakers than folds.
        CorpusError: utterances without a speaker, or a single speaker.
    """
    return _one_group_out(corpus, "speaker", _speaker_groups(corpus, folds, seed), fold)


def by_session(corpus: Corpus, fold: int) -> Split:
    """A test part of one session, the others to train; the paper's protocol for IEMOCAP.

    Returns:
        (train, test), both in the corpus' order.

    Raises:
        ConfigurationError: there is no such fold.
        CorpusError: utterances without a session, or a single session.
    """
    return _one_group_out(corpus, "session", _session_groups(corpus), fold)


def predefined(corpus: Corpus) -> Split:
    """The parts that the corpus itself names; `validation` takes its own out of the training part.

    Raises:
        CorpusError: an utterance without a part, or a part without an utterance.
    """
    for utterance in corpus:
        if utterance.split not in ("train", "validation", "test"):
            raise CorpusError(
                f"{utterance.path}: expected split train, validation or test, "
                f"found {utterance.split!r}"
            )
    test = [index for index, utterance in enumerate(corpus) if utterance.split == "test"]
    if not 0 < len(test) < len(corpus):
        raise CorpusError(
            f"a predefined split needs utterances to train and to test; found {len(test)} of "
            f"{len(corpus)} to test"
        )
    return _train_and_test(corpus, test)


def validation(training: Corpus, kind: str, fraction: float, seed: int = 0) -> Split:
    """What of a training part is only watched: of a predefined split its own, else at random.

    Args:
        training: of a split of that kind.
        kind: as `split` takes it.
        fraction: share to draw where the corpus names no validation part.
        seed: of the draw.

    Returns:
        (train, validation), both in the corpus' order.

    Raises:
        CorpusError: an emotion with a single utterance to draw from.
    """
    named = [index for index, one in enumerate(training) if one.split == "validation"]
    if kind == "predefined" and 0 < len(named) < len(training):
        return _train_and_test(training, named)
    return random(training, fraction, seed)


def folds(corpus: Corpus, kind: str) -> int:
    """How many folds a kind of split has for this corpus; 1 for random and predefined ones.

    Raises:
        ConfigurationError: the kind is unknown.
        CorpusError: the corpus does not tell what the kind needs.
    """
    _check_kind(kind)
    if kind == "speaker":
        return len(_speaker_groups(corpus, None, seed=0))
    return len(_session_groups(corpus)) if kind == "session" else 1


def split(
    corpus: Corpus, kind: str, fold: int = 0, test_fraction: float = 0.2, seed: int = 0
) -> Split:
    """A split of the kind named "random", "speaker", "session" or "predefined".

    Raises:
        ConfigurationError: the kind is unknown, or an option is out of its range.
        CorpusError: the corpus does not hold what the kind needs.
    """
    _check_kind(kind)
    if kind == "random":
        return random(corpus, test_fraction, seed)
    if kind == "speaker":
        return by_speaker(corpus, fold, seed=seed)
    if kind == "session":
        return by_session(corpus, fold)
    return predefined(corpus)


def _speaker_groups(corpus: Corpus, folds: int | None, seed: int) -> list[set[str]]:
    """The speakers of each fold."""
    _check_seed(seed)
    speakers = _values(corpus, "speaker")
    if folds is None and corpus.name == "ravdess":
        group_of = {speaker: (int(speaker) - 1) // RAVDESS_GROUP_SIZE for speaker in speakers}
        return [
            {speaker for speaker in speakers if group_of[speaker] == group}
            for group in sorted(set(group_of.values()))
        ]
    if folds is None and corpus.name in ONE_SPEAKER_OUT:
        return [{speaker} for speaker in speakers]
    count = min(DEFAULT_SPEAKER_FOLDS, len(speakers)) if folds is None else folds
    if not 2 <= count <= len(speakers):
        raise ConfigurationError(
            f"folds: expected 2 to {len(speakers)}, the number of speakers, found {count}"
        )
    sex_of = {utterance.speaker: utterance.sex for utterance in corpus}
    shuffled = np.random.default_rng(seed).permutation(speakers).tolist()
    # Dealing one sex after the other keeps the groups balanced; the sort is stable.
    dealt = sorted(shuffled, key=lambda speaker: sex_of[speaker])
    return [set(dealt[group::count]) for group in range(count)]


def _session_groups(corpus: Corpus) -> list[set[str]]:
    """The session of each fold."""
    return [{session} for session in _values(corpus, "session")]


def _values(corpus: Corpus, attribute: str) -> Sequence[str]:
    """The corpus' speakers or sessions, two or more, known for every utterance."""
    for utterance in corpus:
        if not getattr(utterance, attribute):
            raise CorpusError(
                f"{utterance.path}: no {attribute} is known, and a split by {attribute} needs "
                f"that of every utterance of {corpus.name}"
            )
    values = corpus.speakers if attribute == "speaker" else corpus.sessions
    if len(values) < 2:
        raise CorpusError(
            f"a split by {attribute} needs 2 {attribute}s or more, "
            f"found {', '.join(values) or 'none'} in {corpus.name}"
        )
    return values


def _one_group_out(corpus: Corpus, attribute: str, groups: Sequence[set[str]], fold: int) -> Split:
    if len(groups) < 2:
        raise CorpusError(
            f"a split by {attribute} needs 2 groups or more; all of {corpus.name}'s {attribute}s, "
            f"{', '.join(sorted(groups[0]))}, are in one"
        )
    if not 0 <= fold < len(groups):
        raise ConfigurationError(
            f"fold: expected 0 to {len(groups) - 1} for {corpus.name} by {attribute}, found {fold}"
        )
    values = [getattr(utterance, attribute) for utterance in corpus]
    test = [index for index, value in enumerate(values) if value in groups[fold]]
    return _train_and_test(corpus, test)


def _train_and_test(corpus: Corpus, test: Sequence[int]) -> Split:
    chosen = set(test)
    train = [index for index in range(len(corpus)) if index not in chosen]
    return corpus.subset(train), corpus.subset(sorted(chosen))


def _in_order(corpus: Corpus) -> list[int]:
    """Indexes by the utterances' places, so that the order they came in does not matter."""
    return sorted(range(len(corpus)), key=lambda index: corpus.utterance_key(corpus[index]))


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise ConfigurationError(f"split: expected one of {', '.join(KINDS)}, found {kind!r}")


def _check_seed(seed: int) -> None:
    if seed < 0:
        raise ConfigurationError(f"seed: expected 0 or more, found {seed}")
