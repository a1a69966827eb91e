"""A corpus in the words of a model that was trained on another: its classes as the emotions."""

from __future__ import annotations

import dataclasses
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ser_keras.corpora.synonyms import find_class
from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import CorpusError


@dataclass(frozen=True)
class Matched:
    """What of a corpus a model has classes for, and what not.

    Attributes:
        corpus: the utterances whose emotion is one of the classes, in the whole corpus' order; each
            has the class for its emotion, whatever word the corpus itself uses.
        synonyms: the corpus' words that are not classes themselves, each with its class.
        unknown: how many utterances were left out, by the corpus' word for their emotion.
    """

    corpus: Corpus
    synonyms: dict[str, str]
    unknown: dict[str, int]


def match(corpus: Corpus, classes: Sequence[str]) -> Matched:
    """Put a model's classes in the place of a corpus' own words for the emotions.

    Args:
        corpus: any; it stays as it is.
        classes: the model's, `model.classes`.
    """
    counts = Counter(utterance.emotion for utterance in corpus)
    found = {emotion: find_class(emotion, classes) for emotion in counts}
    utterances = tuple(
        utterance if utterance.emotion == name else dataclasses.replace(utterance, emotion=name)
        for utterance in corpus
        if (name := found[utterance.emotion]) is not None
    )
    return Matched(
        corpus=Corpus(corpus.name, utterances, tuple(classes), corpus.root),
        synonyms={own: name for own, name in found.items() if name is not None and own != name},
        unknown={own: count for own, count in counts.items() if found[own] is None},
    )


def known(corpus: Corpus, classes: Sequence[str], what: str) -> Matched:
    """As `match`, after telling on standard error what counts as what and what was left out.

    Args:
        corpus: any; it stays as it is.
        classes: the model's, `model.classes`.
        what: the corpus' name, as messages begin with it.

    Raises:
        CorpusError: there are utterances, and none has an emotion that is one of the classes.
    """
    matched = match(corpus, classes)
    left_out = ", ".join(f"{emotion} ({count})" for emotion, count in matched.unknown.items())
    if left_out and not matched.corpus:
        raise CorpusError(
            f"{what}: found the emotions {left_out}, expected at least one of the model's classes "
            f"or a synonym: {', '.join(classes)}"
        )
    if matched.synonyms:
        pairs = [f"{own} counts as {name}" for own, name in matched.synonyms.items()]
        print(f"{what}: {', '.join(pairs)}", file=sys.stderr)
    if left_out:
        count = sum(matched.unknown.values())
        print(
            f"{what}: left {count} out whose emotion is not a class of the model: {left_out}",
            file=sys.stderr,
        )
    return matched
