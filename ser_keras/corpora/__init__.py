"""Corpora of emotional speech, all loaded into one type: `load("ravdess", "/data/RAVDESS")`.

To add a corpus whose file names tell emotion and speaker, describe them in a module like `emodb`
and list its `RELEASE.load` in `_LOADERS`. Any other corpus needs a function from its folder to a
`Corpus`, like `iemocap.load`; its other parameters become options of `load`. Words for emotions
that `synonyms.json` lacks go there, and the speaker folds of a published protocol into `splits`.
Test it with files named as released, in tests/corpora/test_named_corpora.py.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any

from ser_keras.corpora import (
    ased,
    crema_d,
    emodb,
    emotale,
    emovo,
    esd,
    iemocap,
    jl_corpus,
    manifest,
    meld,
    nemo,
    ravdess,
    savee,
    synthetic,
    tess,
    urdu,
)
from ser_keras.corpora.joining import join
from ser_keras.corpora.matching import match
from ser_keras.corpora.utterance import Corpus, Utterance
from ser_keras.fields import require

__all__ = ["Corpus", "Utterance", "join", "load", "load_joined", "match", "names"]

_LOADERS: dict[str, Callable[..., Corpus]] = {
    "ravdess": ravdess.RELEASE.load,
    "iemocap": iemocap.load,
    "emodb": emodb.RELEASE.load,
    "crema-d": crema_d.RELEASE.load,
    "savee": savee.RELEASE.load,
    "tess": tess.RELEASE.load,
    "nemo": nemo.RELEASE.load,
    "emovo": emovo.RELEASE.load,
    "emotale": emotale.RELEASE.load,
    "ased": ased.RELEASE.load,
    "urdu": urdu.RELEASE.load,
    "jl-corpus": jl_corpus.RELEASE.load,
    "meld": meld.load,
    "esd": esd.RELEASE.load,
    "manifest": manifest.load,
    "synthetic": synthetic.load,
}


def names() -> tuple[str, ...]:
    """Return the names that `load` knows.

    Example:
        >>> ser.corpora.names()
        ('ravdess', 'iemocap', 'emodb', 'crema-d', ..., 'manifest', 'synthetic')
    """
    return tuple(_LOADERS)


def load(name: str, root: str | PathLike[str] | None = None, **options: Any) -> Corpus:
    """Load a corpus' utterances; the sound itself is read later.

    Args:
        name: one of `names()`.
        root: the folder that holds the corpus; for "manifest" the CSV file; "synthetic" needs none.
        **options: those of the corpus' own `load`, such as `improvised=False` for IEMOCAP.

    Raises:
        ConfigurationError: the name or an option is unknown, or an option is out of its range.
        CorpusError: `root` does not hold that corpus.

    Example:
        >>> ser.corpora.load("synthetic", "sound", speakers=1, takes=1)
        Corpus('synthetic', 8 utterances, emotions=('neutral', 'calm', 'happy', 'sad', ...))
    """
    require(name in _LOADERS, "corpus", name, f"one of {', '.join(names())}")
    loader = _LOADERS[name]
    known = [option for option in inspect.signature(loader).parameters if option != "root"]
    for option in options:
        expected = f"one of {', '.join(known)}" if known else "none"
        require(option in known, f"options of corpus {name}", option, expected)
    return loader(root, **options)


def load_joined(
    pairs: Sequence[tuple[str, str | PathLike[str] | None]], merge_synonyms: bool = False
) -> Corpus:
    """Load a corpus, or several and join them.

    Args:
        pairs: the name of each corpus and its `root`.
        merge_synonyms: as a manifest's own option, for the manifests among them.

    Raises:
        ConfigurationError: synonyms are to be merged where there is no manifest.

    Example:
        >>> load_joined([("synthetic", "sound")]).name
        'synthetic'
    """
    names_of = [name for name, _ in pairs]
    has_manifest = not merge_synonyms or "manifest" in names_of
    require(has_manifest, "merge_synonyms", ", ".join(names_of), "a manifest among the corpora")
    options = {"manifest": {"merge_synonyms": merge_synonyms}}
    return join([load(name, root, **options.get(name, {})) for name, root in pairs])
