"""An array of fixed shape for every recording: computed in threads, each kept on disk."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from ser_keras.cache_directory import default_directory
from ser_keras.corpora.utterance import Corpus, Utterance
from ser_keras.feature_cache import FeatureCache, hash_file


def describe(
    corpus: Corpus,
    title: str,
    options: dict[str, Any],
    shape: tuple[int, ...],
    compute: Callable[[Utterance], np.ndarray],
) -> np.ndarray:
    """Compute one array per utterance, or find it in the cache of extracted features.

    Args:
        corpus: utterances that can be decoded.
        title: what the progress bar says.
        options: whatever, besides the recording's content, the array follows from.
        shape: of one array.
        compute: gives an utterance's array. It runs in several threads, which helps because
            openSMILE and NumPy's FFT release Python's lock while they work.

    Returns:
        float32 [N, *shape].
    """
    cache = FeatureCache(default_directory(), options)

    def one(utterance: Utterance) -> np.ndarray:
        key = cache.key(hash_file(utterance.path), utterance.start, utterance.end)
        if entry := cache.read(key, shape):
            return entry[0][0]
        values = np.asarray(compute(utterance), np.float32)
        # The cache holds observations of instants: the whole utterance is one, of no duration.
        cache.write(key, values[np.newaxis], 0.0)
        return values

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        console = Console(stderr=True)
        arrays = track(threads.map(one, corpus), title, len(corpus), console=console)
        return np.stack(list(arrays))
