"""A corpus in the words of a model that was trained on another: its classes as the emotions."""

from __future__ import annotations

import dataclasses
import sys
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from ser_keras.corpora.synonyms import find_class
from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import CorpusError


class Matched(NamedTuple):
    """A corpus as a model knows its emotions, and what of it the model does not know.

    Attributes:
        corpus: the utterances whose emotion is one of the classes, in the corpus' order; the class
            stands for the emotion, whatever word the corpus itself uses.
        synonyms: the corpus' words that are not classes themselves, each with its class.
        unknown: number of utterances left out, by the corpus' word for their emotion.

    Example:
        >>> ser.corpora.match(corpus, classes=("calm", "anger")).unknown["sad"]
        4
    """

    corpus: Corpus
    synonyms: dict[str, str]
    unknown: dict[str, int]


def match(corpus: Corpus, classes: Sequence[str]) -> Matched:
    """Replace a corpus' own words for the emotions by a model's classes.

    Args:
        corpus: any corpus; it stays as it is.
        classes: the model's, `model.classes`.

    Example:
        >>> ser.corpora.match(corpus, classes=("calm", "anger")).synonyms
        {'angry': 'anger'}
    """
    counts = Counter(utterance.emotion for utterance in corpus)
    class_of = {emotion: find_class(emotion, classes) for emotion in counts}
    utterances = tuple(
        dataclasses.replace(utterance, emotion=name)
        for utterance in corpus
        if (name := class_of[utterance.emotion]) is not None
    )
    return Matched(
        corpus=Corpus(corpus.name, utterances, tuple(classes), corpus.root),
        synonyms={own: name for own, name in class_of.items() if name is not None and own != name},
        unknown={own: count for own, count in counts.items() if class_of[own] is None},
    )


def known(corpus: Corpus, classes: Sequence[str], what: str) -> Matched:
    """Call `match`, and print to standard error what counts as what and what was left out.

    Args:
        corpus: any corpus; it stays as it is.
        classes: the model's, `model.classes`.
        what: the corpus' name, with which messages begin.

    Raises:
        CorpusError: there are utterances, and none has an emotion that is one of the classes.

    Example:
        >>> from ser_keras.corpora.matching import known
        >>> len(known(corpus, ("calm", "anger"), "the test subset").corpus)
        8
    """
    matched = match(corpus, classes)
    left_out = ", ".join(f"{emotion} ({count})" for emotion, count in matched.unknown.items())
    if left_out and not matched.corpus:
        raise CorpusError(
            f"{what}: expected at least one emotion among the model's classes or a synonym, "
            f"{', '.join(classes)}; found {left_out}"
        )
    if matched.synonyms:
        pairs = [f"{own} counts as {name}" for own, name in matched.synonyms.items()]
        print(f"{what}: {', '.join(pairs)}", file=sys.stderr)
    if left_out:
        count = sum(matched.unknown.values())
        print(
            f"{what}: left out {count} whose emotion is not a class of the model: {left_out}",
            file=sys.stderr,
        )
    return matched
