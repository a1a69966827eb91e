"""Several corpora as one: a single set of classes, and speakers kept apart by corpus."""

from __future__ import annotations

import dataclasses
import functools
import sys
from collections import Counter
from collections.abc import Sequence

from ser_keras.corpora.matching import find_class
from ser_keras.corpora.utterance import Corpus, Source
from ser_keras.corpora.whole_recordings import recordings_of
from ser_keras.errors import CorpusError


def join(corpora: Sequence[Corpus]) -> Corpus:
    """Join corpora into one; standard error tells what counts as what, and how often.

    Emotions of one name or of synonyms become one class, under the name that comes first: the
    first corpus' emotions, then those that others add. Speakers and sessions get the corpus' name
    before theirs, so that "01" of one is not "01" of another. A corpus that comes twice, such as
    two manifests, is numbered: "manifest" and "manifest-2".

    Args:
        corpora: in the order of the classes; a single one is returned as it is.

    Raises:
        CorpusError: there is none, one is joined already, or two have a recording in common.

    Example:
        >>> other = ser.corpora.load("synthetic", "sound", speakers=1, takes=1, seed=1)
        >>> joined = ser.corpora.join([corpus, other])
        >>> joined.name, joined.speakers
        ('synthetic+synthetic-2', ('synthetic-2:01', 'synthetic:01', 'synthetic:02'))
    """
    if not corpora:
        raise CorpusError("corpora to join: expected one or more, found none")
    if len(corpora) == 1:
        return corpora[0]
    for corpus in corpora:
        if corpus.sources:
            raise CorpusError(f"{corpus.name}: expected single corpora to join, found a joined one")
    names = distinct([corpus.name for corpus in corpora])
    class_of = _classes(corpora)
    utterances = [
        dataclasses.replace(
            utterance,
            emotion=class_of[utterance.emotion],
            speaker=utterance.speaker and f"{name}:{utterance.speaker}",
            session=utterance.session and f"{name}:{utterance.session}",
            corpus=name,
        )
        for name, corpus in zip(names, corpora, strict=True)
        for utterance in corpus
    ]
    joined = Corpus(
        name="+".join(names),
        utterances=tuple(utterances),
        emotions=tuple(dict.fromkeys(class_of.values())),
        sources=tuple(
            Source(name, corpus.root) for name, corpus in zip(names, corpora, strict=True)
        ),
    )
    _refuse_overlap(joined)
    _report(joined, corpora, class_of)
    return joined


def distinct(names: Sequence[str]) -> list[str]:
    """Number the names that come again.

    Example:
        >>> distinct(["manifest", "ravdess", "manifest"])
        ['manifest', 'ravdess', 'manifest-2']
    """
    seen: Counter[str] = Counter()
    numbered = []
    for name in names:
        seen[name] += 1
        numbered.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return numbered


def _classes(corpora: Sequence[Corpus]) -> dict[str, str]:
    """Return the class of each word for an emotion, in the order of the classes."""
    class_of: dict[str, str] = {}
    for corpus in corpora:
        for emotion in corpus.emotions:
            classes = tuple(dict.fromkeys(class_of.values()))
            class_of.setdefault(emotion, find_class(emotion, classes) or emotion)
    return class_of


def _refuse_overlap(joined: Corpus) -> None:
    """Refuse a recording in two corpora: it would be in two subsets, under two speakers."""
    corpus_of: dict[int, str] = {}
    for utterance, recording in zip(joined, recordings_of(joined), strict=True):
        found = corpus_of.setdefault(recording, utterance.corpus)
        if found != utterance.corpus:
            raise CorpusError(
                f"{utterance.path}: expected in one corpus, found in {found} and {utterance.corpus}"
            )


def _report(joined: Corpus, corpora: Sequence[Corpus], class_of: dict[str, str]) -> None:
    parts = joined.by_source()
    for source, corpus in zip(joined.sources, corpora, strict=True):
        pairs = [
            f"{emotion} counts as {class_of[emotion]} ({count})"
            for emotion, count in corpus.counts().items()
            if class_of[emotion] != emotion and count
        ]
        if pairs:
            _say(f"{source.name}: {', '.join(pairs)}")
    counts = [joined.subset(parts.get(source.name, [])).counts() for source in joined.sources]
    shown = [
        f"{emotion} {' + '.join(str(each[emotion]) for each in counts)}"
        for emotion in joined.emotions
    ]
    _say(
        f"{joined.name}: {len(joined)} utterances of {len(joined.speakers)} speakers; "
        f"{', '.join(shown)}"
    )


@functools.cache
def _say(line: str) -> None:
    """Print a line on standard error, once: a command may load its corpora for every split."""
    print(line, file=sys.stderr)
