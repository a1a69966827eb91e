"""Observations on disk, so that a recording is decoded once.

An entry's name is a hash of everything that the observations follow from: the recording's bytes,
the segment of it, the FeatureSpec, how it was decoded, the versions of the libraries and of this
package's own algorithm. Nothing can go stale, and moving or renaming a recording costs nothing.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ser_keras.files import replacing

# Raise it whenever the same sound would give other observations than before.
ALGORITHM = 1
LIBRARIES = ("librosa", "soundfile", "soxr")


def hash_file(path: Path) -> str:
    """Hash the bytes of a file.

    Raises:
        OSError: the file cannot be read.

    Example:
        >>> from ser_keras.features.cache import hash_file
        >>> len(hash_file(corpus[0].path))
        64
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


class FeatureCache:
    """Observations of recordings, one file each.

    Reading never fails: an entry that is missing or damaged is None. Writing never fails either:
    the first entry that cannot be written gives one warning, and no other is tried.

    Args:
        directory: folder of the entries; made when the first one is written.
        options: whatever else, in JSON's types, the observations follow from.

    Example:
        >>> from pathlib import Path
        >>> from ser_keras.features.cache import FeatureCache
        >>> cache = FeatureCache(Path("cache"), {"decoder": "soundfile"})
        >>> key = cache.key("hash of a file", start=None, end=1.5)
        >>> cache.write(key, np.zeros((3, 40), np.float32), duration=1.5)
        >>> cache.read(key, shape=(40,))[1]
        1.5
    """

    def __init__(self, directory: Path, options: dict[str, Any]) -> None:
        self.directory = directory
        self._writable = True
        libraries = {name: version(name) for name in LIBRARIES}
        self._options = {"algorithm": ALGORITHM, "libraries": libraries, **options}

    def key(
        self,
        content: str,
        start: float | None,
        end: float | None,
        variation: dict[str, Any] | None = None,
    ) -> str:
        """Name the entry of a segment, in seconds, of a file with that hash, plain or varied."""
        origin = {"content": content, "start": start, "end": end, **self._options}
        if variation:
            origin["variation"] = variation
        return hashlib.sha256(json.dumps(origin, sort_keys=True).encode()).hexdigest()

    def read(self, key: str, shape: tuple[int, ...]) -> tuple[np.ndarray, float] | None:
        """Return observations, float32 [T, *shape], and the segment's duration in seconds."""
        try:
            with self._path(key).open("rb") as file:
                entry = np.load(file, allow_pickle=False)
                observations, duration = entry["observations"], float(entry["duration"])
        except Exception:  # noqa: BLE001 - a damaged zip archive can raise nearly anything
            return None
        if observations.shape[1:] != shape or observations.dtype != np.float32:
            return None
        return observations, duration

    def write(self, key: str, observations: np.ndarray, duration: float) -> None:
        """Keep observations; a process killed while writing leaves no half entry."""
        if not self._writable:
            return
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as temporary, temporary.open("wb") as file:
                np.savez(file, observations=observations, duration=np.float64(duration))
        except OSError as error:
            self._writable = False
            message = f"features are not cached in {self.directory}: {error.__cause__ or error}"
            warnings.warn(message, RuntimeWarning, stacklevel=2)

    def _path(self, key: str) -> Path:
        # Two levels: some file systems are slow with a hundred thousand entries in one folder.
        return self.directory / "features" / key[:2] / f"{key}.npz"
