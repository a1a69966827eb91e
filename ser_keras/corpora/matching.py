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
    """The utterances of a corpus whose emotions a model knows, and what it does not know.

    Attributes:
        corpus: the utterances whose emotion is one of the classes, in the corpus' order, with the
            class as their emotion.
        synonyms: the corpus' words that are not classes themselves, each with its class.
        unknown: number of utterances left out, by the corpus' word for their emotion.

    Example:
        >>> ser.corpora.match(corpus, classes=("calm", "anger")).unknown["sad"]
        4
    """

    corpus: Corpus
    synonyms: dict[str, str]
    unknown: dict[str, int]


def match(corpus: Corpus, classes: Sequence[str], name: str | None = None) -> Matched:
    """Replace a corpus' own words for the emotions by a model's classes.

    Args:
        corpus: any corpus; it stays as it is.
        classes: the model's, `model.classes`.
        name: the corpus' name in messages; if given, standard error tells what counts as what and
            what was left out, and a corpus without a known emotion is refused.

    Raises:
        CorpusError: a corpus to name has utterances, and no emotion of them is one of the classes.

    Example:
        >>> ser.corpora.match(corpus, classes=("calm", "anger")).synonyms
        {'angry': 'anger'}
    """
    counts = Counter(utterance.emotion for utterance in corpus)
    class_of = {emotion: find_class(emotion, classes) for emotion in counts}
    utterances = tuple(
        dataclasses.replace(utterance, emotion=found)
        for utterance in corpus
        if (found := class_of[utterance.emotion]) is not None
    )
    matched = Matched(
        corpus=Corpus(corpus.name, utterances, tuple(classes), corpus.root),
        synonyms={own: word for own, word in class_of.items() if word is not None and own != word},
        unknown={own: count for own, count in counts.items() if class_of[own] is None},
    )
    if name is not None:
        _report(matched, name)
    return matched


def _report(matched: Matched, name: str) -> None:
    left_out = ", ".join(f"{emotion} ({count})" for emotion, count in matched.unknown.items())
    if left_out and not matched.corpus:
        raise CorpusError(
            f"{name}: expected at least one emotion among the model's classes or a synonym, "
            f"{', '.join(matched.corpus.emotions)}; found {left_out}"
        )
    if matched.synonyms:
        pairs = [f"{own} counts as {word}" for own, word in matched.synonyms.items()]
        print(f"{name}: {', '.join(pairs)}", file=sys.stderr)
    if left_out:
        print(
            f"{name}: left out {sum(matched.unknown.values())} whose emotion is not a class of the "
            f"model: {left_out}",
            file=sys.stderr,
        )
