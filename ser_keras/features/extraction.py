"""Extraction of a corpus: cached, in parallel, and whatever single files hold."""

from __future__ import annotations

import dataclasses
import itertools
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ser_keras.corpora.utterance import Corpus, Utterance
from ser_keras.errors import AudioError, CorpusError, by_kind
from ser_keras.features.augmentation import NONE, Augmentation
from ser_keras.features.cache import CachedObservations, FeatureCache
from ser_keras.features.copies import numbered_copies
from ser_keras.features.segments import Extracted, Segment, extract_segment
from ser_keras.features.spec import FeatureSpec
from ser_keras.features.workers import extract_in_processes
from ser_keras.fields import require
from ser_keras.files import cache_directory
from ser_keras.interruption import deferred

DECODERS = ("soundfile", "tensorflow-io")

SHORT = "shorter than one window"

# Below this, starting worker processes takes longer than they save.
WORTH_PROCESSES = 64


@dataclass(frozen=True)
class Extraction:
    """Observations of a corpus, and the utterances that have none.

    Attributes:
        corpus: the utterances that have observations, in the order of the whole corpus.
        observations: of each utterance, float32 [T, *spec.observation_shape] with T > 0; in
            memory, or read from a disk when they are asked for.
        durations: of each utterance, in seconds, float64 [len(corpus)].
        skipped_short: utterances shorter than a window.
        failed: utterances that cannot be used, each with the reason.
        remarks: what was remarkable of recordings when they were decoded, each with its path.
        indexes: index of each among all utterances and, after them, their varied copies, int [N].

    Example:
        >>> spec = ser.FeatureSpec(window=60.0)
        >>> extraction = ser.extraction.extract_corpus(corpus[:4], spec, progress=False)
        >>> len(extraction.observations), len(extraction.skipped_short)
        (0, 4)
    """

    corpus: Corpus
    observations: Sequence[np.ndarray]
    durations: np.ndarray
    skipped_short: tuple[Utterance, ...]
    failed: tuple[tuple[Utterance, str], ...]
    remarks: tuple[tuple[str, str], ...] = ()
    indexes: np.ndarray = field(default_factory=lambda: np.zeros(0, int))

    @property
    def lengths(self) -> np.ndarray:
        """Instants of each utterance, int [N]; what is on a disk is not read for them."""
        known = getattr(self.observations, "lengths", None)
        return np.array([len(each) for each in self.observations]) if known is None else known


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
        workers: processes; None for one per core. tensorflow-io has threads instead.
        progress: show a progress bar on standard error.
        decoder: "soundfile", or "tensorflow-io" to decode and resample in a tf.data graph, which
            needs `pip install 'ser-keras[io]'`.
        augmentation: of a training subset: the corpus is followed by so many varied copies of it,
            decoded by soundfile.
        name: the corpus' name in messages, such as "training subset". With a name, what is skipped
            is told on standard error, and a corpus of which nothing is left is an error.

    Raises:
        ConfigurationError: an option is unknown, or tensorflow-io cannot be used.
        CorpusError: a corpus with a name has no utterance that can be used.

    Example:
        >>> spec = ser.FeatureSpec(window=0.5, hop=0.25)
        >>> extraction = ser.extraction.extract_corpus(corpus, spec, progress=False)
        >>> extraction.observations[0].shape
        (12, 40)
    """
    [extraction] = _extract([(corpus, augmentation)], spec, cache, workers, progress, decoder)
    if name is not None:
        report(extraction, name)
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

    Example:
        >>> subsets = {"train": corpus[:8], "validation": corpus[8:12]}
        >>> spec = ser.FeatureSpec(window=0.5, hop=0.25)
        >>> extractions = ser.extraction.extract_subsets(subsets, spec, progress=False)
        >>> len(extractions["validation"].observations)
        4
    """
    varied = {"train": augmentation}
    corpora = [(corpus, varied.get(subset, NONE)) for subset, corpus in subsets.items()]
    extracted = dict(zip(subsets, _extract(corpora, spec, **options), strict=True))
    for subset, extraction in extracted.items():
        report(extraction, subset_name(subset))
    return extracted


def _extract(
    corpora: Sequence[tuple[Corpus, Augmentation]],
    spec: FeatureSpec,
    cache: str | os.PathLike[str] | bool | None = None,
    workers: int | None = None,
    progress: bool = True,
    decoder: str = "soundfile",
) -> list[Extraction]:
    """Extract corpora, each followed by its varied copies, in one loop."""
    require(decoder in DECODERS, "decoder", decoder, f"one of {', '.join(DECODERS)}")
    require(workers is None or workers >= 1, "workers", workers, "at least 1")
    numbered = [numbered_copies(corpus, augmentation) for corpus, augmentation in corpora]
    if any(copy for pairs in numbered for copy, _ in pairs):
        require(decoder == "soundfile", "decoder", decoder, "soundfile, where copies are varied")
    if cache is None or cache is True:
        cache = cache_directory()
    folder = None if cache is False else Path(cache)
    store = FeatureCache(folder, {"spec": spec.to_dict(), "decoder": decoder})
    segments = [
        Segment(utterance.path, utterance.start, utterance.end, copy, utterance.channel)
        for (corpus, _), pairs in zip(corpora, numbered, strict=True)
        for copy, utterance in ((copy, corpus[position]) for copy, position in pairs)
    ]
    # Only the training subset varies, so that one augmentation is there at most.
    augmentation = next((each for _, each in corpora if each != NONE), NONE)
    outcomes = _outcomes(segments, spec, augmentation, store, workers, decoder)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    console = Console(stderr=True)
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not progress) as bar:
        done = dict(bar.track(outcomes, len(segments), description="Extracting features"))
    in_order = (done[index] for index in range(len(segments)))
    return [
        _collect(corpus, pairs, itertools.islice(in_order, len(pairs)))
        for (corpus, _), pairs in zip(corpora, numbered, strict=True)
    ]


def _outcomes(
    segments: Sequence[Segment],
    spec: FeatureSpec,
    augmentation: Augmentation,
    store: FeatureCache,
    workers: int | None,
    decoder: str,
) -> Iterator[tuple[int, Extracted | AudioError]]:
    """Yield each segment's index with its outcome: first the stored ones, then the others."""
    ranges = augmentation.of_a_copy()
    keys, missing = [], []
    for index, segment in enumerate(segments):
        variation = {"copy": segment.copy, **ranges} if segment.copy else None
        stretch = segment.path, segment.start, segment.end
        keys.append(store.key(*stretch, variation, segment.channel))
        if entry := store.read(keys[index], spec.observation_shape):
            yield index, Extracted(store.hold(keys[index], entry[0]), entry[1])
        else:
            missing.append(index)
    if store.damaged:
        first, others = store.damaged[0], len(store.damaged) - 1
        print(
            f"{first}{f' and {others} others' if others else ''}: expected features as they were "
            "written, found damaged ones; extracted again",
            file=sys.stderr,
        )
    rest = [segments[index] for index in missing]
    for position, outcome in _extract_segments(rest, spec, augmentation, workers, decoder):
        index = missing[position]
        if isinstance(outcome, Extracted):
            values = np.asarray(outcome.observations)
            store.write(keys[index], values, outcome.duration)
            outcome = dataclasses.replace(outcome, observations=store.hold(keys[index], values))
        yield index, outcome


def _extract_segments(
    segments: Sequence[Segment],
    spec: FeatureSpec,
    augmentation: Augmentation,
    workers: int | None,
    decoder: str,
) -> Iterator[tuple[int, Extracted | AudioError]]:
    """Extract segments in the graph, in processes or here, in any order."""
    count = min(workers or joblib.cpu_count(), len(segments))
    if decoder == "tensorflow-io":
        # TensorFlow takes seconds to import and is not needed otherwise.
        from ser_keras.features.tensorflow_io import extract_in_graph

        yield from extract_in_graph(segments, spec)
    elif count > 1 and len(segments) >= WORTH_PROCESSES:
        yield from extract_in_processes(segments, spec, augmentation, count)
    else:
        for index, segment in enumerate(segments):
            with deferred():
                outcome = extract_segment(segment, spec, augmentation)
            yield index, outcome


def _collect(
    corpus: Corpus, numbered: Sequence[tuple[int, int]], outcomes: Iterator[Extracted | AudioError]
) -> Extraction:
    usable, extracted, short, failed = [], [], [], []
    for (copy, position), outcome in zip(numbered, outcomes, strict=True):
        utterance = corpus[position]
        if isinstance(outcome, AudioError):
            failed.append((utterance, outcome.reason))
        elif not len(outcome.observations):
            short.append(utterance)
        else:
            usable.append(copy * len(corpus) + position)
            extracted.append(outcome)
    indexes = np.array(usable, int)
    return Extraction(
        corpus=corpus.subset((indexes % max(len(corpus), 1)).tolist()),
        observations=CachedObservations([outcome.observations for outcome in extracted]),
        durations=np.array([outcome.duration for outcome in extracted], np.float64),
        skipped_short=tuple(short),
        failed=tuple(failed),
        remarks=tuple(dict.fromkeys(remark for outcome in extracted for remark in outcome.remarks)),
        indexes=indexes,
    )


def subset_name(subset: str) -> str:
    """Return the name of a subset in messages.

    Example:
        >>> subset_name("train"), subset_name("test")
        ('training subset', 'test subset')
    """
    return "training subset" if subset == "train" else f"{subset} subset"


def report(extraction: Extraction, name: str) -> None:
    """Say on standard error what had to be skipped.

    Raises:
        CorpusError: nothing is left.

    Example:
        >>> spec = ser.FeatureSpec(window=60.0)
        >>> extraction = ser.extraction.extract_corpus(corpus[:4], spec, progress=False)
        >>> report(extraction, "test subset")
        Traceback (most recent call last):
        ser_keras.errors.CorpusError: test subset: expected utterances that can be used, found none
    """
    failed = dict.fromkeys(extraction.failed)  # copies fail as their original
    for line in by_kind((utterance.path, reason) for utterance, reason in failed):
        print(f"{name}: skipped {line}", file=sys.stderr)
    for line in by_kind(extraction.remarks):
        print(f"{name}: warning: {line}", file=sys.stderr)
    if short := len(extraction.skipped_short):
        plural = "s" if short > 1 else ""
        message = f"{name}: skipped {short} utterance{plural} {SHORT}"
        print(message, file=sys.stderr)
    if not extraction.observations:
        raise CorpusError(f"{name}: expected utterances that can be used, found none")
