"""Observations on disk, so that a recording is decoded once.

An entry's name is a hash of everything that the observations follow from: the recording's bytes,
the segment of it, the FeatureSpec, how it was decoded, the versions of the libraries and of this
package's own algorithm. Nothing can go stale, and moving or renaming a recording costs nothing.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ser_keras.errors import CorpusError
from ser_keras.files import replacing

# Raise it whenever the same sound would give other observations than before.
ALGORITHM = 2
LIBRARIES = ("librosa", "soundfile", "soxr")

# Bytes of observations that are held in memory. What comes after them stays on the disk, and is
# read whenever it is asked for: a batch takes some milliseconds more.
HELD = 2 * 1024**3


class FeatureCache:
    """Observations of recordings, one file each.

    Reading never fails: an entry that is missing or damaged is None. Writing never fails either:
    the first entry that cannot be written gives one warning, and no other is tried.

    Attributes:
        damaged: entries that were there and are not as they were written, by the checksums of
            their format.

    Args:
        directory: folder of the entries, made when the first one is written; None keeps nothing.
        options: whatever else, in JSON's types, the observations follow from.

    Example:
        >>> cache = FeatureCache(Path("cache"), {"decoder": "soundfile"})
        >>> key = cache.key(corpus[0].path, start=None, end=1.5)
        >>> cache.write(key, np.zeros((3, 40), np.float32), duration=1.5)
        >>> cache.read(key, shape=(40,))[1]
        1.5
    """

    def __init__(self, directory: Path | None, options: dict[str, Any]) -> None:
        self.directory = directory
        self.damaged: list[Path] = []
        self._held = 0
        self._hashes: dict[Path, str | None] = {}
        libraries = {name: version(name) for name in LIBRARIES}
        self._options = {"algorithm": ALGORITHM, "libraries": libraries, **options}

    def key(
        self,
        path: Path,
        start: float | None,
        end: float | None,
        variation: dict[str, Any] | None = None,
        channel: int | None = None,
    ) -> str | None:
        """Name the entry of a file's segment, in seconds, plain or varied; None for no entry."""
        if self.directory is None:
            return None
        if path not in self._hashes:
            self._hashes[path] = _hash_file(path)
        if (content := self._hashes[path]) is None:
            return None
        origin = {"content": content, "start": start, "end": end, **self._options}
        if variation:
            origin["variation"] = variation
        if channel is not None:
            origin["channel"] = channel
        return hashlib.sha256(json.dumps(origin, sort_keys=True).encode()).hexdigest()

    def read(self, key: str | None, shape: tuple[int, ...]) -> tuple[np.ndarray, float] | None:
        """Return observations, float32 [T, *shape], and the segment's duration in seconds."""
        if self.directory is None or key is None:
            return None
        path = _path(self.directory, key)
        try:
            return _load(path, shape)
        except FileNotFoundError:
            return None
        except Exception:  # noqa: BLE001 - a damaged zip archive can raise nearly anything
            self.damaged.append(path)
            return None

    def write(self, key: str | None, observations: np.ndarray, duration: float) -> None:
        """Keep observations; a process killed while writing leaves no half entry."""
        if self.directory is None or key is None:
            return
        path = _path(self.directory, key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path, durable=False) as temporary, temporary.open("wb") as file:
                np.savez(file, observations=observations, duration=np.float64(duration))
        except OSError as error:
            message = f"features are not cached in {self.directory}: {error.__cause__ or error}"
            warnings.warn(message, RuntimeWarning, stacklevel=2)
            self.directory = None

    def hold(self, key: str | None, observations: np.ndarray) -> np.ndarray | Entry:
        """Return observations that have an entry as they are, or the entry once memory is full."""
        if key is None or self.directory is None or self._held + observations.nbytes <= HELD:
            self._held += observations.nbytes
            return observations
        path = _path(self.directory, key)
        return Entry(path, observations.shape[1:], len(observations))


@dataclass(frozen=True)
class Entry:
    """An entry of a cache that is read when it is asked for: observations [T, *shape].

    Example:
        >>> cache = FeatureCache(Path("cache"), {"decoder": "soundfile"})
        >>> key = cache.key(corpus[0].path, start=None, end=1.5)
        >>> cache.write(key, np.zeros((3, 40), np.float32), duration=1.5)
        >>> [path] = Path("cache").rglob("*.npz")
        >>> Entry(path, shape=(40,), instants=3).read().shape
        (3, 40)
    """

    path: Path
    shape: tuple[int, ...]
    instants: int  # T

    def __len__(self) -> int:
        return self.instants

    def read(self) -> np.ndarray:
        """Return the observations, float32.

        Raises:
            CorpusError: the entry is not there any more, or not as it was written.
        """
        try:
            observations, _ = _load(self.path, self.shape)
            if len(observations) != self.instants:
                raise ValueError("other observations")
        except Exception as error:
            raise CorpusError(
                f"{self.path}: expected features as they were written, found others or none "
                f"({error}); called again, it extracts them anew"
            ) from error
        return observations


class CachedObservations(Sequence[np.ndarray]):
    """The observations of several recordings, some in memory and some in entries of a cache.

    Example:
        >>> observations = CachedObservations([np.zeros((3, 40), np.float32)])
        >>> observations.lengths.tolist(), observations[0].shape
        ([3], (3, 40))
    """

    def __init__(self, held: Sequence[np.ndarray | Entry]) -> None:
        self.lengths = np.array([len(each) for each in held], int)
        self._held = held

    def __len__(self) -> int:
        return len(self._held)

    def __getitem__(self, index: Any) -> Any:
        held = self._held[index]
        return held.read() if isinstance(held, Entry) else held


def _load(path: Path, shape: tuple[int, ...]) -> tuple[np.ndarray, float]:
    with path.open("rb") as file:
        entry = np.load(file, allow_pickle=False)
        observations, duration = entry["observations"], float(entry["duration"])
    if observations.shape[1:] != shape or observations.dtype != np.float32:
        raise ValueError("other observations")
    return observations, duration


def _path(directory: Path, key: str) -> Path:
    # Two levels: some file systems are slow with a hundred thousand entries in one folder.
    return directory / "features" / key[:2] / f"{key}.npz"


def _hash_file(path: Path) -> str | None:
    """Hash the bytes of a file; None if it cannot be read, which its decoder will report."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError:
        return None
    return digest.hexdigest()
