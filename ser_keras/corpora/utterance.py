"""The one type that every corpus becomes: labelled stretches of sound in a fixed order."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np

from ser_keras.errors import CorpusError


@dataclass(frozen=True)
class Utterance:
    """One labelled stretch of sound.

    Attributes:
        path: the sound file.
        emotion: the corpus' own word for the emotion, such as "angry".
        speaker: who speaks; empty where the corpus does not tell.
        session: the recording session; empty where the corpus does not tell.
        start: seconds into the file where the utterance begins; None is the file's beginning.
        end: seconds into the file where the utterance ends; None is the file's end.
        split: "train", "validation" or "test" where the corpus says so, else empty.
        sex: "female" or "male" where the corpus tells, else empty.
    """

    path: Path
    emotion: str
    speaker: str = ""
    session: str = ""
    start: float | None = None
    end: float | None = None
    split: str = ""
    sex: str = ""


@dataclass(frozen=True)
class Corpus(Sequence[Utterance]):
    """Utterances and the classes they fall into.

    Attributes:
        name: the corpus' name, as `ser_keras.corpora.load` knows it.
        utterances: in the order of their paths below `root`, whatever the file system's order.
        emotions: class names in canonical order; a subset keeps those of the whole corpus, so that
            a label means the same in every part.
        root: the folder that the corpus' relative paths start from.
    """

    name: str
    utterances: tuple[Utterance, ...]
    emotions: tuple[str, ...]
    root: Path | None = None

    def __post_init__(self) -> None:
        _label_indexes(self.utterances, self.emotions)

    @classmethod
    def ordered(
        cls, name: str, utterances: Iterable[Utterance], emotions: Sequence[str], root: Path
    ) -> Corpus:
        """A corpus whose utterances are put in the order of their places below `root`."""
        unordered = cls(name, tuple(utterances), tuple(emotions), root)
        return unordered.subset(
            sorted(
                range(len(unordered)), key=lambda index: unordered.utterance_key(unordered[index])
            )
        )

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
        """Each utterance's class as an index.

        Args:
            classes: class names to index; None is this corpus' `emotions`.

        Returns:
            int32 [N].

        Raises:
            CorpusError: an utterance's emotion is not among the classes.
        """
        return _label_indexes(self.utterances, self.emotions if classes is None else classes)

    def counts(self) -> dict[str, int]:
        """How many utterances each emotion has, in the order of `emotions`; 0 where none."""
        totals = np.bincount(self.labels(), minlength=len(self.emotions))
        return {emotion: int(total) for emotion, total in zip(self.emotions, totals, strict=True)}

    def subset(self, indexes: Iterable[int]) -> Corpus:
        """The utterances at these indexes, in the order given, with the whole corpus' classes."""
        chosen = tuple(self.utterances[int(index)] for index in indexes)
        return Corpus(self.name, chosen, self.emotions, self.root)

    def utterance_key(self, utterance: Utterance) -> tuple[str, float, float]:
        """What tells an utterance from all others, the same on every machine.

        Returns:
            The path below `root` with forward slashes, start and end in seconds (0 and infinity
            where the utterance is the whole file).
        """
        start = 0.0 if utterance.start is None else utterance.start
        end = float("inf") if utterance.end is None else utterance.end
        return self.relative_path(utterance), start, end

    def relative_path(self, utterance: Utterance) -> str:
        """The utterance's path from `root`, with forward slashes."""
        if self.root is None:
            return utterance.path.as_posix()
        try:
            return Path(os.path.relpath(utterance.path, self.root)).as_posix()
        except ValueError:  # another drive, on Windows
            return utterance.path.as_posix()


def _label_indexes(utterances: Sequence[Utterance], classes: Sequence[str]) -> np.ndarray:
    """Each utterance's emotion as an index into `classes`: int32 [N]."""
    index = {emotion: position for position, emotion in enumerate(classes)}
    for utterance in utterances:
        if utterance.emotion not in index:
            raise CorpusError(
                f"{utterance.path}: emotion {utterance.emotion!r} is not one of the classes "
                f"{', '.join(classes)}"
            )
    return np.array([index[utterance.emotion] for utterance in utterances], dtype=np.int32)
