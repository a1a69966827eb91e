"""From a corpus to its observations: in parallel, cached, and whatever single files hold."""

from __future__ import annotations

import dataclasses
import itertools
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ser_keras.corpora.utterance import Corpus, Utterance
from ser_keras.errors import AudioError, ConfigurationError, CorpusError
from ser_keras.features.augmentation import NONE, STEPWISE, Augmentation
from ser_keras.features.cache import FeatureCache, hash_file
from ser_keras.features.spec import FeatureSpec
from ser_keras.features.workers import Extracted, Segment, Task, extract_here, extract_in_processes
from ser_keras.fields import require
from ser_keras.files import cache_directory

DECODERS = ("soundfile", "tensorflow-io")

# Below this, starting worker processes takes longer than they save.
WORTH_PROCESSES = 64


@dataclass(frozen=True)
class Extraction:
    """What could be extracted from a corpus, and what could not.

    Attributes:
        corpus: the utterances that have observations, in the order of the whole corpus.
        observations: of each of them, float32 [T, *spec.observation_shape] with T > 0.
        durations: of each of them, in seconds, float64 [len(corpus)].
        skipped_short: utterances shorter than a window.
        failed: utterances that cannot be used, each with the reason.
    """

    corpus: Corpus
    observations: list[np.ndarray]
    durations: np.ndarray
    skipped_short: tuple[Utterance, ...]
    failed: tuple[tuple[Utterance, str], ...]


def extract_corpus(
    corpus: Corpus,
    spec: FeatureSpec,
    cache: str | os.PathLike[str] | bool | None = None,
    workers: int | None = None,
    progress: bool = True,
    decoder: str = "soundfile",
    augmentation: Augmentation = NONE,
    name: str | None = None,
) -> Extraction:
    """Extract the observations of all utterances of a corpus.

    Killed and called again, it continues where it stopped: every finished utterance is cached.

    Args:
        corpus: the utterances to extract.
        spec: the observations wanted.
        cache: a folder; None for `files.cache_directory`; False for no cache.
        workers: processes; None for one per core. TensorFlow has threads instead.
        progress: show a progress bar on standard error.
        decoder: "soundfile", or "tensorflow-io" to decode and resample in a tf.data graph, which
            needs `pip install 'ser-keras[io]'`.
        augmentation: of a training subset: the corpus is followed by so many varied copies of it,
            made with soundfile and librosa alone.
        name: of the corpus in messages, such as "training subset". What is skipped is then told on
            standard error, and a corpus of which nothing is left is an error. None: neither.

    Raises:
        ConfigurationError: an option is unknown, or tensorflow-io cannot be used.
        CorpusError: a corpus with a name has no utterance that can be used.
    """
    [extraction] = _extract(
        [(corpus, augmentation.copies)], spec, augmentation, cache, workers, progress, decoder
    )
    if name is not None:
        _report(extraction, name)
    return extraction


def extract_subsets(
    subsets: Mapping[str, Corpus],
    spec: FeatureSpec,
    augmentation: Augmentation = NONE,
    **options: Any,
) -> dict[str, Extraction]:
    """Extract several subsets of a split in one go, as `extract_corpus` with their names.

    Args:
        subsets: by name: "train", "validation" or "test".
        spec: the observations wanted.
        augmentation: of the varied copies that follow "train", and no other subset.
        **options: cache, workers, progress and decoder, as for `extract_corpus`.

    Raises:
        ConfigurationError: an option is unknown, or tensorflow-io cannot be used.
        CorpusError: a subset has no utterance that can be used.
    """
    corpora = [
        (corpus, augmentation.copies if subset == "train" else 0)
        for subset, corpus in subsets.items()
    ]
    extracted = _extract(corpora, spec, augmentation, **options)
    for subset, extraction in zip(subsets, extracted, strict=True):
        _report(extraction, "training subset" if subset == "train" else f"{subset} subset")
    return dict(zip(subsets, extracted, strict=True))


def _extract(
    corpora: Sequence[tuple[Corpus, int]],
    spec: FeatureSpec,
    augmentation: Augmentation,
    cache: str | os.PathLike[str] | bool | None = None,
    workers: int | None = None,
    progress: bool = True,
    decoder: str = "soundfile",
) -> list[Extraction]:
    """Extract corpora, each followed by so many varied copies of it, in one loop."""
    _check_options(decoder, workers)
    if augmentation.copies and decoder != "soundfile":
        raise ConfigurationError(
            f"decoder: expected 'soundfile' where copies are varied, found {decoder!r}"
        )
    wanted = [
        [(utterance, copy) for copy in range(copies + 1) for utterance in corpus]
        for corpus, copies in corpora
    ]
    parts = [
        Segment(utterance.path, utterance.start, utterance.end, copy)
        for utterance, copy in itertools.chain(*wanted)
    ]
    shelf = _open_cache(cache, {"spec": spec.to_dict(), "decoder": decoder})
    outcomes: dict[int, Extracted | AudioError] = {}
    with _progress_bar(progress) as bar:
        shown = bar.add_task("Extracting features", total=len(parts))
        task = Task(spec, augmentation)
        for index, outcome in _outcomes(parts, task, shelf, workers, decoder):
            outcomes[index] = outcome
            bar.advance(shown)
    in_order = iter([outcomes[index] for index in range(len(parts))])
    return [
        _collect(
            dataclasses.replace(corpus, utterances=tuple(utterance for utterance, _ in rows)),
            list(itertools.islice(in_order, len(rows))),
        )
        for (corpus, _), rows in zip(corpora, wanted, strict=True)
    ]


def _outcomes(
    parts: Sequence[Segment],
    task: Task,
    cache: FeatureCache | None,
    workers: int | None,
    decoder: str,
) -> Iterator[tuple[int, Extracted | AudioError]]:
    """Yield each segment's index with its outcome: first the cached ones, then the others."""
    keys = _keys(parts, task.augmentation, cache)
    missing = []
    for index, key in enumerate(keys):
        entry = cache.read(key, task.spec.observation_shape) if cache and key else None
        if entry:
            yield index, Extracted(*entry)
        else:
            missing.append(index)
    todo = [parts[index] for index in missing]
    for position, outcome in _extract_missing(todo, task, workers, decoder):
        index = missing[position]
        if cache and (key := keys[index]) and isinstance(outcome, Extracted):
            cache.write(key, outcome.observations, outcome.duration)
        yield index, outcome


def _report(extraction: Extraction, name: str) -> None:
    """Say on standard error what had to be skipped.

    Raises:
        CorpusError: nothing is left.
    """
    for utterance, reason in dict.fromkeys(extraction.failed):  # copies fail as their original
        print(f"{name}: skipped {utterance.path}: {reason}", file=sys.stderr)
    if short := len(extraction.skipped_short):
        plural = "s" if short > 1 else ""
        print(f"{name}: skipped {short} utterance{plural} shorter than one window", file=sys.stderr)
    if not extraction.observations:
        raise CorpusError(f"{name}: expected utterances that can be used, found none")


def _check_options(decoder: str, workers: int | None) -> None:
    require(decoder in DECODERS, "decoder", decoder, f"one of {', '.join(DECODERS)}")
    require(workers is None or workers >= 1, "workers", workers, "at least 1")


def _open_cache(
    cache: str | os.PathLike[str] | bool | None, options: dict[str, object]
) -> FeatureCache | None:
    if cache is False:
        return None
    directory = cache_directory() if cache is None or cache is True else Path(cache)
    return FeatureCache(directory, options)


def _keys(
    parts: Sequence[Segment], augmentation: Augmentation, cache: FeatureCache | None
) -> list[str | None]:
    """Name each part's entry in the cache; None for a file that cannot be read."""
    hashes: dict[Path, str | None] = {}
    for part in parts:
        if cache and part.path not in hashes:
            try:
                hashes[part.path] = hash_file(part.path)
            except OSError:  # said, with its reason, by whoever decodes the file
                hashes[part.path] = None
    ranges = augmentation.to_dict()
    for name in ("copies", *STEPWISE):  # which leave a single copy as it is
        del ranges[name]

    def variation(part: Segment) -> dict[str, object] | None:
        return {"copy": part.copy, **ranges} if part.copy else None

    return [
        cache.key(content, part.start, part.end, variation(part))
        if cache and (content := hashes[part.path])
        else None
        for part in parts
    ]


def _extract_missing(
    parts: Sequence[Segment], task: Task, workers: int | None, decoder: str
) -> Iterator[tuple[int, Extracted | AudioError]]:
    """Choose who extracts; yields each part's index with its outcome, in any order."""
    if decoder == "tensorflow-io":
        # TensorFlow takes seconds to import and is not needed otherwise.
        from ser_keras.features.graph_extraction import extract_in_graph

        return extract_in_graph(parts, task.spec)
    count = min(workers or _cores(), len(parts))
    if count < 2 or len(parts) < WORTH_PROCESSES:
        return extract_here(parts, task)
    return extract_in_processes(parts, task, count)


def _cores() -> int:
    """Count the cores that this process may use, fewer than the machine's in a container."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _progress_bar(shown: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not shown,
    )


def _collect(corpus: Corpus, outcomes: Sequence[Extracted | AudioError]) -> Extraction:
    usable, observed, short, failed = [], [], [], []
    for index, (utterance, outcome) in enumerate(zip(corpus, outcomes, strict=True)):
        if isinstance(outcome, AudioError):
            failed.append((utterance, outcome.reason))
        elif not len(outcome.observations):
            short.append(utterance)
        else:
            usable.append(index)
            observed.append(outcome)
    return Extraction(
        corpus=corpus.subset(usable),
        observations=[outcome.observations for outcome in observed],
        durations=np.array([outcome.duration for outcome in observed], np.float64),
        skipped_short=tuple(short),
        failed=tuple(failed),
    )
