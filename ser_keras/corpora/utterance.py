"""The type that every corpus is loaded into: labelled segments of sound in a fixed order."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, overload

import numpy as np

from ser_keras.errors import CorpusError

UtteranceKey = tuple[str, float, float] | tuple[str, float, float, int]


@dataclass(frozen=True)
class Utterance:
    """A labelled segment of a recording; a text is empty where it is unknown.

    Attributes:
        emotion: the corpus' own word for it, such as "angry".
        start: in seconds into the recording; None for its beginning.
        end: in seconds into the recording; None for its end.
        channel: of the recording, from 0; None for the mean of all.
        split: "train", "validation" or "test" where the corpus says so.
        sex: "female" or "male".
        age: in years; None where it is unknown.
        corpus: the name of its `Source` where several corpora are joined.

    Example:
        >>> Utterance(Path("call.wav"), "angry", start=2.5).end is None
        True
    """

    path: Path
    emotion: str
    speaker: str = ""
    session: str = ""
    start: float | None = None
    end: float | None = None
    split: str = ""
    sex: str = ""
    age: int | None = None
    channel: int | None = None
    corpus: str = ""


class Source(NamedTuple):
    """A corpus that is joined to others: its name among them, and its own root.

    Example:
        >>> Source("ravdess", Path("/data/RAVDESS")).name
        'ravdess'
    """

    name: str
    root: Path | None


@dataclass(frozen=True)
class Corpus(Sequence[Utterance]):
    """Utterances and the classes they fall into.

    Attributes:
        name: the corpus' name, as `ser_keras.corpora.load` knows it.
        utterances: in the order of their paths below `root`, whatever the file system's order.
        emotions: class names in canonical order; a subset keeps those of the whole corpus, so that
            a label means the same in every subset.
        root: the folder that the corpus' relative paths start from.
        sources: of a corpus that `ser_keras.corpora.join` made, those joined; else empty.

    Example:
        >>> corpus[1:3]
        Corpus('synthetic', 2 utterances, emotions=('neutral', 'calm', 'happy', ...))
        >>> corpus.speakers
        ('01', '02')
    """

    name: str
    utterances: tuple[Utterance, ...]
    emotions: tuple[str, ...]
    root: Path | None = None
    sources: tuple[Source, ...] = ()

    def __post_init__(self) -> None:
        self.labels()  # refuses emotions that are not classes

    @classmethod
    def ordered(
        cls, name: str, utterances: Iterable[Utterance], emotions: Sequence[str], root: Path
    ) -> Corpus:
        """Build a corpus, its utterances sorted by their paths below `root` and by time."""
        unordered = cls(name, tuple(utterances), tuple(emotions), root)
        return unordered.subset(unordered.sorted_indexes())

    def __len__(self) -> int:
        return len(self.utterances)

    def __iter__(self) -> Iterator[Utterance]:
        return iter(self.utterances)

    @overload
    def __getitem__(self, index: int) -> Utterance: ...

    @overload
    def __getitem__(self, index: slice) -> Corpus: ...

    def __getitem__(self, index: int | slice) -> Utterance | Corpus:
        if isinstance(index, slice):
            return self.subset(range(len(self))[index])
        return self.utterances[index]

    def __repr__(self) -> str:
        return f"Corpus({self.name!r}, {len(self)} utterances, emotions={self.emotions})"

    @property
    def speakers(self) -> tuple[str, ...]:
        """The speakers present, sorted; utterances without a speaker add none."""
        return tuple(sorted({utterance.speaker for utterance in self} - {""}))

    @property
    def sessions(self) -> tuple[str, ...]:
        """The sessions present, sorted; utterances without a session add none."""
        return tuple(sorted({utterance.session for utterance in self} - {""}))

    def labels(self, classes: Sequence[str] | None = None) -> np.ndarray:
        """Return the index of each utterance's class, by default in `emotions`: int32 [N].

        It is -1 where nobody said the emotion, which is "" then.

        Raises:
            CorpusError: an utterance's emotion is not among the classes.
        """
        classes = self.emotions if classes is None else classes
        index = {"": -1} | {emotion: position for position, emotion in enumerate(classes)}
        for utterance in self:
            if utterance.emotion not in index:
                raise CorpusError(
                    f"{utterance.path}: emotion: expected one of {', '.join(classes)}, "
                    f"found {utterance.emotion!r}"
                )
        return np.array([index[utterance.emotion] for utterance in self], dtype=np.int32)

    def counts(self) -> dict[str, int]:
        """Count each emotion's utterances, in the order of `emotions`; 0 where there are none."""
        labels = self.labels()
        totals = np.bincount(labels[labels >= 0], minlength=len(self.emotions))
        return {emotion: int(total) for emotion, total in zip(self.emotions, totals, strict=True)}

    def subset(self, indexes: Iterable[int]) -> Corpus:
        """Select utterances by index, in the order given; the classes stay the whole corpus'."""
        chosen = tuple(self.utterances[int(index)] for index in indexes)
        return replace(self, utterances=chosen)

    def by_source(self) -> dict[str, list[int]]:
        """Return the utterances' indexes by the corpus that each is from.

        Example:
            >>> list(corpus[:2].by_source().items())
            [('synthetic', [0, 1])]
        """
        indexes: dict[str, list[int]] = {source.name: [] for source in self.sources}
        for index, utterance in enumerate(self):
            indexes.setdefault(utterance.corpus or self.name, []).append(index)
        return {name: found for name, found in indexes.items() if found}

    def sorted_indexes(self) -> list[int]:
        """Return the utterances' indexes, sorted by `utterance_key`."""
        return sorted(range(len(self)), key=lambda index: self.utterance_key(self[index]))

    def utterance_key(self, utterance: Utterance) -> UtteranceKey:
        """Return what tells an utterance from all others, the same on every machine.

        That is its path below `root`, start and end in seconds: 0 and infinity for a whole file;
        and its channel, if it is of one.
        """
        start = 0.0 if utterance.start is None else utterance.start
        end = float("inf") if utterance.end is None else utterance.end
        key = self.relative_path(utterance), start, end
        return key if utterance.channel is None else (*key, utterance.channel)

    def relative_path(self, utterance: Utterance) -> str:
        """Return the utterance's path from `root`, with forward slashes.

        In a joined corpus it is that from the source's root, after the source's name.
        """
        roots = {source.name: source.root for source in self.sources}
        path, root = utterance.path, roots.get(utterance.corpus, self.root)
        if root is not None:
            with contextlib.suppress(ValueError):  # another drive, on Windows
                path = Path(os.path.relpath(path, root))
        return (utterance.corpus / path if utterance.corpus in roots else path).as_posix()
