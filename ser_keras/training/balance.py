"""Balanced sampling: how often an epoch draws each utterance, so that groups weigh the same."""

from __future__ import annotations

from collections import Counter

import numpy as np

from ser_keras.corpora.utterance import Corpus
from ser_keras.fields import require
from ser_keras.model.settings import BALANCES


def expected_draws(corpus: Corpus, balance: str, most: int | None = None) -> np.ndarray:
    """Return how often an epoch draws each utterance on average: float64 [N].

    The mean is 1, or less where an epoch must not draw as many as there are.

    Args:
        corpus: the utterances of the epoch.
        balance: "none" draws each once; "corpus" every corpus that is joined equally often;
            "emotion" every emotion; "corpus,emotion" every corpus, and in it every emotion.
        most: draws of an epoch together; None for as many as there are utterances.

    Raises:
        ConfigurationError: `balance` is none of these.

    Example:
        >>> [utterance.emotion for utterance in corpus[:3]]
        ['angry', 'angry', 'calm']
        >>> expected_draws(corpus[:3], "emotion")
        array([0.75, 0.75, 1.5 ])
        >>> expected_draws(corpus[:3], "none", most=2).round(2)
        array([0.67, 0.67, 0.67])
    """
    require(balance in BALANCES, "balance", balance, f"one of {', '.join(BALANCES)}")
    levels = [] if balance == "none" else balance.split(",")
    # The groups nest: the whole, then its corpora, then the emotions of each.
    groups: list[tuple[str, ...]] = [()] * len(corpus)
    total = len(corpus) if most is None else min(most, len(corpus))
    share = np.ones(len(corpus))
    for level in levels:
        inner = [
            (*group, getattr(utterance, level))
            for group, utterance in zip(groups, corpus, strict=True)
        ]
        siblings = Counter(group[:-1] for group in set(inner))
        share /= [siblings[group] for group in groups]
        groups = inner
    sizes = Counter(groups)
    return share * total / [sizes[group] for group in groups]


def draws_of_epoch(corpus: Corpus, balance: str, most: int | None = None) -> np.ndarray | None:
    """Return the `expected_draws` of an epoch, or None where it draws every utterance once.

    Example:
        >>> draws_of_epoch(corpus, "none", most=len(corpus)) is None
        True
        >>> draws_of_epoch(corpus[:2], "emotion")
        array([1., 1.])
    """
    if balance == "none" and (most is None or most >= len(corpus)):
        return None
    return expected_draws(corpus, balance, most)
