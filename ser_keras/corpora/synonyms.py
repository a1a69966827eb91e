"""Words of one meaning: corpora say anger or angry, fear or fearful, joy or happiness."""

from __future__ import annotations

import re
from collections.abc import Sequence

# A row for each emotion, of words that published corpora use for it: excitement is not happiness,
# calm is not neutral. TESS alone tells a pleasant surprise from any other.
SYNONYMS = (
    ("neutral", "neutrality"),
    ("calm", "calmness"),
    ("happy", "happiness", "joy", "joyful"),
    ("sad", "sadness"),
    ("angry", "anger"),
    ("fearful", "fear", "afraid", "scared"),
    ("disgusted", "disgust"),
    (
        "surprised", "surprise", "pleasant surprise", "pleasant surprised", "pleasantly surprised",
    ),
    ("bored", "boredom"),
    ("anxious", "anxiety"),
    ("contemptuous", "contempt"),
    ("excited", "excitement"),
    ("frustrated", "frustration"),
)  # fmt: skip

_EMOTION_OF_WORD = {word: words[0] for words in SYNONYMS for word in words}


def find_class(emotion: str, classes: Sequence[str]) -> str | None:
    """Find the class that an emotion's name stands for.

    The same name comes first, then the same word in another spelling ("Sad", "pleasant_surprise"),
    then a synonym.

    Args:
        emotion: a corpus' word for an emotion.
        classes: a model's words for the emotions it tells apart.

    Returns:
        One of `classes`; None where none of them is meant, or several may be.

    Example:
        >>> from ser_keras.corpora.synonyms import find_class
        >>> find_class("Fear", ("calm", "fearful"))
        'fearful'
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
    return re.sub(r"[\s_-]+", " ", name).strip().casefold()


def _meaning(name: str) -> str:
    """Return the first of the words for the same emotion."""
    word = _word(name)
    return _EMOTION_OF_WORD.get(word, word)
