"""From a corpus to its observations: in parallel, cached, and whatever single files hold."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ser_keras.corpora.utterance import Corpus, Utterance
from ser_keras.errors import AudioError, ConfigurationError, CorpusError
from ser_keras.features.augmentation import NONE, STEPWISE, Augmentation
from ser_keras.features.cache import FeatureCache, hash_file
from ser_keras.features.spec import FeatureSpec
from ser_keras.features.workers import Extracted, Segment, Task, extract_here, extract_in_processes
from ser_keras.files import cache_directory

DECODERS = ("soundfile", "tensorflow-io")
FRONTENDS = ("librosa", "tensorflow")

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
    frontend: str = "librosa",
    augmentation: Augmentation = NONE,
) -> Extraction:
    """Extract the observations of all utterances of a corpus.

    Killed and called again, it goes on where it was: every finished utterance is in the cache.

    Args:
        corpus: what to extract.
        spec: the observations wanted.
        cache: a folder; None for `files.cache_directory`; False for no cache.
        workers: processes; None for one per core. TensorFlow has threads instead.
        progress: show a progress bar on standard error.
        decoder: "soundfile", or "tensorflow-io" to decode and resample in a tf.data graph, which
            needs `pip install 'ser-keras[io]'`.
        frontend: "librosa", or "tensorflow" for its twin, `ser_keras.features.frontend.Frontend`.
        augmentation: of a training part: the corpus is followed by so many varied copies of it,
            made with soundfile and librosa alone.

    Raises:
        ConfigurationError: an option is not known, or tensorflow-io cannot be used.
    """
    _check_options(decoder, frontend, workers)
    copies = range(augmentation.copies + 1)
    if augmentation.copies:
        _check_augmentation(decoder, frontend)
        corpus = corpus.subset([index for _ in copies for index in range(len(corpus))])
    number = len(corpus) // len(copies)
    parts = [
        Segment(utterance.path, utterance.start, utterance.end, index // max(number, 1))
        for index, utterance in enumerate(corpus)
    ]
    task = Task(spec, augmentation)
    shelf = _open_cache(cache, {"spec": spec.to_dict(), "decoder": decoder, "frontend": frontend})
    outcomes: dict[int, Extracted | AudioError] = {}
    with _progress_bar(progress) as bar:
        shown = bar.add_task("Extracting features", total=len(parts))
        keys = _keys(parts, augmentation, shelf)
        for index, key in enumerate(keys):
            if shelf and key and (entry := shelf.read(key, spec.observation_shape)):
                outcomes[index] = Extracted(*entry)
        bar.update(shown, completed=len(outcomes))
        missing = [index for index in range(len(parts)) if index not in outcomes]
        todo = [parts[index] for index in missing]
        for position, outcome in _extract_missing(todo, task, workers, decoder, frontend):
            index = missing[position]
            outcomes[index] = outcome
            if shelf and (key := keys[index]) and isinstance(outcome, Extracted):
                shelf.write(key, outcome.observations, outcome.duration)
            bar.advance(shown)
    return _collect(corpus, outcomes)


def usable(extraction: Extraction, what: str) -> Extraction:
    """The extraction itself, after telling on standard error what had to be left out of it.

    Args:
        extraction: of a corpus or a part of one.
        what: its name, as messages begin with it.

    Raises:
        CorpusError: nothing is left.
    """
    for utterance, reason in dict.fromkeys(extraction.failed):  # copies fail as their original
        print(f"{what}: skipped {utterance.path}: {reason}", file=sys.stderr)
    if extraction.skipped_short:
        count = len(extraction.skipped_short)
        print(f"{what}: left {count} shorter than one window out", file=sys.stderr)
    if not extraction.observations:
        raise CorpusError(f"{what}: found no utterance that can be used")
    return extraction


def _check_options(decoder: str, frontend: str, workers: int | None) -> None:
    if decoder not in DECODERS:
        raise ConfigurationError(f"decoder is {decoder!r}, expected one of {', '.join(DECODERS)}")
    if frontend not in FRONTENDS:
        raise ConfigurationError(
            f"frontend is {frontend!r}, expected one of {', '.join(FRONTENDS)}"
        )
    if workers is not None and workers < 1:
        raise ConfigurationError(f"workers is {workers}, expected at least 1")


def _check_augmentation(decoder: str, frontend: str) -> None:
    if (decoder, frontend) != ("soundfile", "librosa"):
        raise ConfigurationError(
            f"augmentation: found decoder {decoder!r} and frontend {frontend!r}, "
            "expected 'soundfile' and 'librosa'"
        )


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
    parts: Sequence[Segment], task: Task, workers: int | None, decoder: str, frontend: str
) -> Iterator[tuple[int, Extracted | AudioError]]:
    """Choose who extracts; yields each part's index with its outcome, in any order."""
    if (decoder, frontend) != ("soundfile", "librosa"):
        # TensorFlow takes seconds to import and is not needed otherwise.
        from ser_keras.features.graph_extraction import extract_in_graph

        return extract_in_graph(parts, task.spec, decoder, frontend)
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


def _collect(corpus: Corpus, outcomes: dict[int, Extracted | AudioError]) -> Extraction:
    usable, observed, short, failed = [], [], [], []
    for index, utterance in enumerate(corpus):
        outcome = outcomes[index]
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
