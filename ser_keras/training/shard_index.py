"""The index of a folder of shards: which utterance is where, without reading the shards."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ser_keras.corpora.utterance import Corpus, Source, Utterance
from ser_keras.errors import CorpusError
from ser_keras.features.augmentation import Augmentation
from ser_keras.features.cache import ALGORITHM
from ser_keras.features.spec import FeatureSpec
from ser_keras.training import checksums

INDEX_FILE = "index.json"

# Raise it whenever an index has to say more than before.
FORMAT = 4

# What a row says of an utterance beside its path.
FIELDS = (
    *("start", "end", "channel", "emotion", "speaker", "session"),
    *("sex", "age", "split", "corpus"),
)

_BEFORE, _FRAMING = 12, 16  # bytes that TFRecord puts before a record, and all that it adds
_ANEW = "`ser-keras features`, called again, makes it anew"


class Records(NamedTuple):
    """The records of all shards, an array each.

    Example:
        >>> Records(*np.zeros((6, 3))).offset.shape
        (3,)
    """

    utterance: np.ndarray  # its index in the corpus, int [N]
    copy: np.ndarray  # number of the varied copy, 0 for the recording as it is, int [N]
    instants: np.ndarray  # int [N]
    duration: np.ndarray  # in seconds, float64 [N]
    offset: np.ndarray  # of its values in its shard, in bytes, int [N]
    checksum: np.ndarray  # of its values, int [N]


@dataclass(frozen=True)
class ShardIndex:
    """The utterances, files and records of a folder of shards.

    Attributes:
        corpus: all utterances, also those left out, in the corpus' own order.
        spec: of the observations.
        left_out: why an utterance has no observations, by its index in the corpus.
        augmentation: of the varied copies that the shards hold.
        files: the shards.
        firsts: number of each shard's first record, int [shards].
        records: the records in the order of the shards.

    Example:
        >>> from ser_keras.training import shards
        >>> written = shards.write(corpus, model.features, "shards", progress=False)
        >>> ShardIndex.read("shards").corpus == corpus
        True
    """

    corpus: Corpus
    spec: FeatureSpec
    left_out: Mapping[int, str]
    augmentation: Augmentation
    files: tuple[Path, ...]
    firsts: np.ndarray
    records: Records

    @classmethod
    def read(cls, folder: str | os.PathLike[str]) -> ShardIndex:
        """Read the index of a folder, and check that its shards are of the length that it says.

        Raises:
            CorpusError: there is no index; it or the length of a shard is not as it was written.
        """
        folder = Path(folder)
        index = _intact(folder / INDEX_FILE)
        spec, shards = FeatureSpec.from_dict(index["spec"]), index["shards"]
        values = int(np.prod(spec.observation_shape))
        roots = {name: root and Path(root) for name, root in index["sources"]}
        roots[""] = index["root"] and Path(index["root"])
        utterances: list[Utterance] = []
        left_out: dict[int, str] = {}
        parts, counts = [], []
        for shard in shards:
            first = len(utterances)
            rows = shard["utterances"]
            here = [_utterance(row, roots) for row in rows]
            for row in shard["left_out"]:  # in the order of their positions
                left_out[first + row["position"]] = row["reason"]
                here.insert(row["position"], _utterance(row, roots))
            usable = [n for n in range(len(here)) if first + n not in left_out]
            table = [
                (position, 0, row["instants"], row["duration"], row["crc32"])
                for position, row in zip(usable, rows, strict=True)
            ]
            table += map(tuple, shard["copies"])
            columns = np.array(table, float).reshape(-1, 5).T
            position, copy, instants, duration, checksum = columns
            sizes = _FRAMING + 4 * values * instants
            _check_length(folder / shard["file"], int(sizes.sum()))
            offset = np.cumsum(sizes) - sizes + _BEFORE
            parts.append(Records(first + position, copy, instants, duration, offset, checksum))
            counts.append(len(table))
            utterances += here
        joined = map(np.concatenate, zip(*parts, strict=True))
        kinds = (int, int, int, float, int, int)
        sources = tuple(Source(name, roots[name]) for name, _ in index["sources"])
        return cls(
            corpus=Corpus(
                index["corpus"], tuple(utterances), tuple(index["emotions"]), roots[""], sources
            ),
            spec=spec,
            left_out=left_out,
            augmentation=Augmentation(index["copies"], index["copies_of"], **index["variation"]),
            files=tuple(folder / shard["file"] for shard in shards),
            firsts=np.cumsum([0, *counts])[:-1],
            records=Records(*(part.astype(kind) for part, kind in zip(joined, kinds, strict=True))),
        )


def _intact(path: Path) -> dict[str, Any]:
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        intact = all(checksums.rows_are_intact(shard) for shard in index["shards"])
        version = index.get("format"), index.get("algorithm")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise CorpusError(f"{path}: expected an index of features, found none ({error})") from error
    if not intact:
        raise CorpusError(f"{path}: expected the index as it was written, found another; {_ANEW}")
    if version != (FORMAT, ALGORITHM):
        raise CorpusError(
            f"{path}: expected features of this version, found those of another; {_ANEW}"
        )
    return index


def _check_length(path: Path, expected: int) -> None:
    found = path.stat().st_size if path.exists() else 0
    if found != expected:
        raise CorpusError(
            f"{path}: expected {expected} bytes, found {found}; "
            "`ser-keras features`, called again, makes the shard anew"
        )


def _utterance(row: Mapping[str, Any], roots: Mapping[str, Path | None]) -> Utterance:
    """Invert `Corpus.relative_path`, and take what else is known."""
    known = {field: row[field] for field in FIELDS if field in row}
    path, source = Path(row["path"]), known.get("corpus", "")
    if source in roots and source:
        path = path.relative_to(source)
    root = roots.get(source)
    return Utterance(path if root is None else Path(os.path.normpath(root / path)), **known)


def differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Say in which options two descriptions differ, of features or of copies.

    Example:
        >>> differences(ser.FeatureSpec(hop=0.5).to_dict(), ser.FeatureSpec().to_dict())
        ['hop 0.5 instead of 1.0']
    """
    return [
        f"{name} {found.get(name)!r} instead of {value!r}"
        for name, value in wanted.items()
        if found.get(name) != value
    ]
