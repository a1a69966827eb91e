"""The groups that folds leave out in turn: of speakers, of sessions, or of joined corpora."""

from __future__ import annotations

import dataclasses

import numpy as np

from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import CorpusError
from ser_keras.fields import require

FOLDED = ("speaker", "session", "corpus")  # kinds of splits that have folds

_DEFAULT_SPEAKER_FOLDS = 5
_RAVDESS_GROUP_SIZE = 4  # odd actors are men, even ones women: four in a row are two of each
_ONE_SPEAKER_OUT = ("emodb", "savee", "tess", "emovo", "emotale")


def fold_groups(
    corpus: Corpus, attribute: str, folds: int | None = None, seed: int = 0
) -> list[set[str]]:
    """Return the speakers, the sessions or the joined corpora of each fold.

    Args:
        corpus: every utterance needs one.
        attribute: one of `FOLDED`.
        folds: number of groups of speakers instead of the corpus' own.
        seed: of groups that are drawn.

    Raises:
        ConfigurationError: `folds` is out of range.
        CorpusError: an utterance lacks one, or all are of one group.

    Example:
        >>> sorted(sorted(group) for group in fold_groups(corpus, "speaker"))
        [['01'], ['02']]
    """
    if attribute == "corpus":
        joined = list(corpus.by_source())
        if len(joined) < 2:
            raise CorpusError(
                f"split of {corpus.name} by corpus: expected 2 joined corpora or more, found 1"
            )
        return [{name} for name in joined]
    for utterance in corpus:
        if not getattr(utterance, attribute):
            raise CorpusError(
                f"{utterance.path}: {attribute}: expected one, as a split by {attribute} needs of "
                f"every utterance of {corpus.name}, found none"
            )
    values = sorted({getattr(utterance, attribute) for utterance in corpus})
    groups = [{value} for value in values]
    if attribute == "speaker" and len(values) > 1:
        groups = _speaker_groups(corpus, folds, seed)
    if len(groups) < 2:
        raise CorpusError(
            f"split of {corpus.name} by {attribute}: expected 2 groups of {attribute}s or more, "
            f"found {len(groups)}: {', '.join(values) or 'none'}"
        )
    return groups


def _speaker_groups(corpus: Corpus, folds: int | None, seed: int) -> list[set[str]]:
    """Return groups of speakers that have some of each corpus that is joined."""
    if not corpus.sources:
        return _own_groups(corpus, folds, seed)
    parts = [
        dataclasses.replace(corpus.subset(indexes), name=name)
        for name, indexes in corpus.by_source().items()
    ]
    for part in parts:
        if len(part.speakers) < 2:
            raise CorpusError(
                f"split of {corpus.name} by speaker: expected 2 speakers or more of each corpus, "
                f"found {', '.join(part.speakers)} alone"
            )
    groups = [_own_groups(part, folds, seed) for part in parts]
    count = min(map(len, groups))
    alike = [
        own if len(own) == count else _own_groups(part, count, seed)
        for part, own in zip(parts, groups, strict=True)
    ]
    return [set().union(*fold) for fold in zip(*alike, strict=True)]


def _own_groups(corpus: Corpus, folds: int | None, seed: int) -> list[set[str]]:
    """Return a corpus' own groups of speakers, or draw groups."""
    speakers = corpus.speakers
    if folds is None and corpus.name == "ravdess":
        groups: dict[int, set[str]] = {}
        for speaker in speakers:  # sorted, and so are the groups
            actor = int(speaker.rpartition(":")[2])  # after the corpus' name, where it is joined
            groups.setdefault((actor - 1) // _RAVDESS_GROUP_SIZE, set()).add(speaker)
        return list(groups.values())
    if folds is None and corpus.name in _ONE_SPEAKER_OUT:
        return [{speaker} for speaker in speakers]
    count = min(_DEFAULT_SPEAKER_FOLDS, len(speakers)) if folds is None else folds
    expected = f"2 to {len(speakers)}, the number of speakers of {corpus.name}"
    require(2 <= count <= len(speakers), "folds", count, expected)
    sex_of = {utterance.speaker: utterance.sex for utterance in corpus}
    shuffled = np.random.default_rng(seed).permutation(speakers).tolist()
    # Dealing one sex after the other keeps the groups balanced; the sort is stable.
    dealt = sorted(shuffled, key=lambda speaker: sex_of[speaker])
    return [set(dealt[group::count]) for group in range(count)]
