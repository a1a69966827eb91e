"""The options `--corpus` and `--data`: one pair, or several whose corpora are joined."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ser_keras.corpora.utterance import Corpus


class CorpusAction(argparse.Action):
    """`--corpus NAME`: the first is `corpus`; further ones begin pairs in the list `joined`.

    Example:
        >>> parser = argparse.ArgumentParser()
        >>> _ = parser.add_argument("--corpus", action=CorpusAction)
        >>> _ = parser.add_argument("--data", action=DataAction)
        >>> parser.parse_args("--corpus tess --data A --corpus savee --data B".split())
        Namespace(corpus='tess', data='A', joined=[('savee', 'B')])
    """

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Begin a pair."""
        if hasattr(namespace, "joined"):
            namespace.joined.append((values, None))
        else:
            namespace.corpus, namespace.joined = values, []


class DataAction(argparse.Action):
    """`--data DIR`: of the `--corpus` before it, or of the first.

    Example:
        >>> parser = argparse.ArgumentParser()
        >>> _ = parser.add_argument("--data", action=DataAction)
        >>> parser.parse_args(["--data", "A"])
        Namespace(data='A')
    """

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Complete the last pair."""
        if joined := getattr(namespace, "joined", []):
            joined[-1] = (joined[-1][0], values)
        else:
            namespace.data = values


def pairs(options: argparse.Namespace) -> list[tuple[str, str | None]]:
    """Return the name of each corpus with the absolute path of its data, in order.

    Example:
        >>> pairs(argparse.Namespace(corpus="synthetic", data=None))
        [('synthetic', None)]
    """
    given = [(options.corpus, options.data), *getattr(options, "joined", [])]
    # Absolute: a run records it, and may be evaluated from another folder.
    return [(name, data and str(Path(data).expanduser().absolute())) for name, data in given]


def load(options: argparse.Namespace) -> Corpus:
    """Load the corpus, or several joined.

    Example:
        >>> options = argparse.Namespace(corpus="synthetic", data="sound", merge_synonyms=False)
        >>> load(options).name
        'synthetic'
    """
    from ser_keras import corpora

    return corpora.load_joined(pairs(options), options.merge_synonyms)
