"""A corpus in the words of a model that was trained on another: its classes as the emotions."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import CorpusError

# A list for each emotion, of words that published corpora use for it: excitement is not happiness,
# calm is not neutral. TESS alone tells a pleasant surprise from any other.
_SYNONYMS = json.loads(Path(__file__).with_name("synonyms.json").read_text(encoding="utf-8"))
_EMOTION_OF_WORD = {word: words[0] for words in _SYNONYMS for word in words}


class Matched(NamedTuple):
    """The utterances of a corpus whose emotions a model knows, and what it does not know.

    Example:
        >>> ser.corpora.match(corpus, classes=("calm", "anger")).unknown["sad"]
        4
    """

    corpus: Corpus  # in the corpus' order, with classes as the emotions
    synonyms: dict[str, str]  # the corpus' words that are not classes themselves, to classes
    unknown: dict[str, int]  # number of utterances left out, by the corpus' word


def match(corpus: Corpus, classes: Sequence[str], name: str | None = None) -> Matched:
    """Replace a corpus' own words for the emotions by a model's classes.

    Args:
        corpus: any corpus; it stays as it is.
        classes: the model's, `model.classes`.
        name: the corpus' name in messages; if given, standard error tells what counts as what and
            what was left out, and a corpus without a known emotion is refused.

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
        corpus=dataclasses.replace(corpus, utterances=utterances, emotions=tuple(classes)),
        synonyms={own: word for own, word in class_of.items() if word is not None and own != word},
        unknown={own: count for own, count in counts.items() if class_of[own] is None},
    )
    if name is not None:
        _report(matched, name)
    return matched


def merge_synonyms(corpus: Corpus) -> Corpus:
    """Make one class of names that mean one emotion, "Anger" and "ANGRY", called "angry".

    Names that mean an emotion alone stay as they are.

    Example:
        >>> from dataclasses import replace
        >>> from ser_keras.corpora import Corpus
        >>> one, other = replace(corpus[0], emotion="Sad"), replace(corpus[1], emotion="sadness")
        >>> merge_synonyms(Corpus("own", (one, other), ("Sad", "sadness"))).emotions
        ('sad',)
    """
    class_of = {name: meaning for meaning, names in synonyms(corpus).items() for name in names}
    utterances = tuple(
        dataclasses.replace(each, emotion=class_of.get(each.emotion, each.emotion))
        for each in corpus
    )
    emotions = sorted({class_of.get(name, name) for name in corpus.emotions})
    return dataclasses.replace(corpus, utterances=utterances, emotions=tuple(emotions))


def synonyms(corpus: Corpus) -> dict[str, list[str]]:
    """Return the emotions for which a corpus has several names, and the names.

    Example:
        >>> synonyms(corpus)
        {}
    """
    names: dict[str, list[str]] = {}
    for name in corpus.emotions:
        names.setdefault(_meaning(name), []).append(name)
    return {meaning: several for meaning, several in names.items() if len(several) > 1}


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


def find_class(emotion: str, classes: Sequence[str]) -> str | None:
    """Find the class that an emotion's name stands for; None for no class, or for several.

    The same name comes first, then the same word in another spelling ("Sad", "pleasant_surprise"),
    then a synonym.

    Example:
        >>> find_class("Anger", ("calm", "angry")), find_class("boredom", ("calm", "angry"))
        ('angry', None)
    """
    if emotion in classes:
        return emotion
    for reading in (_word, _meaning):
        found = [name for name in classes if reading(name) == reading(emotion)]
        if found:
            return found[0] if len(found) == 1 else None
    return None


def _word(name: str) -> str:
    """Write a name in lower case, with single spaces between its words."""
    return re.sub(r"[\s_-]+", " ", unicodedata.normalize("NFKC", name)).strip().casefold()


def _meaning(name: str) -> str:
    """Return the first of the words for the same emotion."""
    word = _word(name)
    return _EMOTION_OF_WORD.get(word, word)
