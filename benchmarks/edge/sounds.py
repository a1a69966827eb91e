"""Decoded recordings in one file, read one by one, so that memory measured is not the sound's."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Sounds:
    """Recordings, mono float32.

    Attributes:
        path: of the samples, one recording after another; beside it a `.json` of the rest.
        sample_rate: in hertz.
        lengths: of each recording, in samples.
    """

    path: Path
    sample_rate: int
    lengths: tuple[int, ...]

    @classmethod
    def write(cls, path: Path, sample_rate: int, recordings: Iterable[np.ndarray]) -> Sounds:
        """Write recordings one after another."""
        lengths = []
        with path.open("wb") as file:
            for recording in recordings:
                file.write(recording.astype(np.float32).tobytes())
                lengths.append(len(recording))
        text = json.dumps({"sample_rate": sample_rate, "lengths": lengths})
        path.with_suffix(".json").write_text(text, encoding="utf-8")
        return cls(path, sample_rate, tuple(lengths))

    @classmethod
    def open(cls, path: Path) -> Sounds:
        """Open the file that `write` left."""
        held = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        return cls(path, held["sample_rate"], tuple(held["lengths"]))

    def __iter__(self) -> Iterator[np.ndarray]:
        """Read one recording after another."""
        with self.path.open("rb") as file:
            for length in self.lengths:
                yield np.fromfile(file, np.float32, length)

    @property
    def seconds(self) -> float:
        """Duration of all recordings together."""
        return sum(self.lengths) / self.sample_rate
