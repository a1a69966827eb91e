"""An array of fixed shape for every recording: computed in processes, each kept on disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from ser_keras.corpora.utterance import Corpus, Utterance
from ser_keras.features.cache import FeatureCache
from ser_keras.files import cache_directory

Compute = Callable[[Utterance], np.ndarray]


def describe(
    corpus: Corpus, title: str, options: dict[str, Any], shape: tuple[int, ...], compute: Compute
) -> np.ndarray:
    """Compute one array per utterance, or find it in the cache of extracted features.

    Args:
        corpus: utterances that can be decoded.
        title: title of the progress bar.
        options: all that the array depends on besides the recording's content.
        shape: shape of one array.
        compute: computes an utterance's array; a function of a module that does not import
            TensorFlow, since it is sent to fresh processes.

    Returns:
        float32 [N, *shape].
    """
    cache = FeatureCache(cache_directory(), options)
    keys = [cache.key(each.path, each.start, each.end) for each in corpus]
    entries = [cache.read(key, shape) for key in keys]
    arrays = {index: entry[0][0] for index, entry in enumerate(entries) if entry}
    missing = [index for index in range(len(corpus)) if index not in arrays]
    computed = _compute_all([corpus[index] for index in missing], compute)
    progress = track(computed, title, len(missing), console=Console(stderr=True))
    for index, values in zip(missing, progress, strict=True):
        arrays[index] = np.asarray(values, np.float32)
        # The cache holds observations of instants: the whole utterance is one, of no duration.
        cache.write(keys[index], arrays[index][np.newaxis], 0.0)
    return np.stack([arrays[index] for index in range(len(corpus))])


def _compute_all(utterances: Sequence[Utterance], compute: Compute) -> Iterator[np.ndarray]:
    """Yield each utterance's array, in order."""
    if not utterances:
        return
    # In processes, however few there are: openSMILE corrupts the memory of one that has TensorFlow
    # loaded.
    count = min(os.cpu_count() or 1, len(utterances))
    with ProcessPoolExecutor(count, get_context("spawn")) as processes:
        yield from processes.map(compute, utterances, chunksize=4)
