"""Corpora of emotional speech, all loaded into one type: `load("ravdess", "/data/RAVDESS")`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from os import PathLike
from typing import Any

from ser_keras.corpora import (
    crema_d,
    emodb,
    iemocap,
    manifest,
    ravdess,
    savee,
    synthetic,
    tess,
)
from ser_keras.corpora.matching import match
from ser_keras.corpora.utterance import Corpus, Utterance
from ser_keras.errors import ConfigurationError

__all__ = ["Corpus", "Utterance", "load", "match", "names"]

_LOADERS: dict[str, Callable[..., Corpus]] = {
    "ravdess": ravdess.load,
    "iemocap": iemocap.load,
    "emodb": emodb.load,
    "crema-d": crema_d.load,
    "savee": savee.load,
    "tess": tess.load,
    "manifest": manifest.load,
    "synthetic": synthetic.load,
}


def names() -> tuple[str, ...]:
    """The names that `load` knows."""
    return tuple(_LOADERS)


def load(name: str, root: str | PathLike[str] | None = None, **options: Any) -> Corpus:
    """Find a corpus' utterances.

    Args:
        name: one of `names()`.
        root: the folder that holds the corpus; for "manifest" the CSV file; "synthetic" needs none.
        **options: those of the corpus' own `load`, such as `improvised=False` for IEMOCAP.

    Raises:
        ConfigurationError: the name or an option is unknown, or an option is out of its range.
        CorpusError: `root` does not hold that corpus.
    """
    if name not in _LOADERS:
        raise ConfigurationError(f"corpus: expected one of {', '.join(names())}, found {name!r}")
    loader = _LOADERS[name]
    known = [option for option in inspect.signature(loader).parameters if option != "root"]
    for option in options:
        if option not in known:
            raise ConfigurationError(
                f"{option}: not an option of corpus {name}, which has {', '.join(known) or 'none'}"
            )
    return loader(root, **options)
