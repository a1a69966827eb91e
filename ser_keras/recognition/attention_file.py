"""Saliency and attention of a recording in a `.npz` file, written in constant memory."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from ser_keras import files

_KINDS = {"saliency": np.dtype("<f4"), "attention": np.dtype("?")}


class AttentionFile:
    """Collects saliency and attention of a recording, instant by instant, on the disk.

    Args:
        folder: where scratch files and the result go; it exists.
        shape: of an observation.

    Example:
        >>> answer = {"instants": [{"time": 1.5}]}
        >>> with AttentionFile(Path("."), shape=(2, 2)) as arrays:
        ...     arrays.add(np.ones(4), np.ones(4))
        ...     arrays.write(Path("a.npz"), answer)
        >>> {name: array.shape for name, array in np.load("a.npz").items()}
        {'time': (1,), 'saliency': (1, 2, 2), 'attention': (1, 2, 2)}
    """

    def __init__(self, folder: Path, shape: Sequence[int]) -> None:
        self._shape = tuple(shape)
        # No array is known to fit into memory, and a .npz takes one after the other.
        self._scratch = {name: tempfile.TemporaryFile(dir=folder) for name in _KINDS}  # noqa: SIM115

    def __enter__(self) -> AttentionFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for scratch in self._scratch.values():
            scratch.close()

    def add(self, saliency: np.ndarray, attention: np.ndarray) -> None:
        """Take the next instant's, [D] each."""
        for name, values in (("saliency", saliency), ("attention", attention)):
            self._scratch[name].write(values.astype(_KINDS[name]).tobytes())

    def write(self, path: Path, line: Mapping[str, Any]) -> None:
        """Write the file, whole or not at all.

        It holds time, float64 [T], in seconds, where the windows end; saliency, float32 [T,
        *shape], in standard deviations; and attention, bool [T, *shape].

        Args:
            path: of the file.
            line: the recording's answer.

        Raises:
            OutputError: it cannot be written.
        """
        times = np.array([instant["time"] for instant in line["instants"]])
        with files.replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            with archive.open("time.npy", "w") as entry:
                np.lib.format.write_array(entry, times)
            for name, kind in _KINDS.items():
                header = {
                    "descr": np.lib.format.dtype_to_descr(kind),
                    "fortran_order": False,
                    "shape": (len(times), *self._shape),
                }
                self._scratch[name].seek(0)
                with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array_header_1_0(entry, header)
                    shutil.copyfileobj(self._scratch[name], entry)
