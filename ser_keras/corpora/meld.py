"""MELD, the multimodal EmotionLines dataset: scenes of the series Friends, seven emotions.

Poria, Hazarika, Majumder, Naik, Cambria & Mihalcea (2019), ACL, 527-536. Tables as in its
repository declare-lab/MELD (data/MELD); folders as its loader in Strong-AI-Lab/emotion
(datasets/MELD) has them.
"""

from __future__ import annotations

import csv
import os
import re
import warnings
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import NamedTuple

from ser_keras.corpora.recordings import is_sound, required_folder, walk
from ser_keras.corpora.utterance import Corpus, Utterance
from ser_keras.errors import CorpusError

EMOTIONS = ("neutral", "joy", "sadness", "anger", "surprise", "fear", "disgust")


class _Subset(NamedTuple):
    """The names in the release of a subset's table and of the folder of its clips."""

    table: str
    folder: str


_SUBSETS = {
    "train": _Subset("train_sent_emo.csv", "train_splits"),
    "validation": _Subset("dev_sent_emo.csv", "dev_splits_complete"),
    "test": _Subset("test_sent_emo.csv", "output_repeated_splits_test"),
}
_LAYOUT = (
    "tables train_sent_emo.csv, dev_sent_emo.csv and test_sent_emo.csv, and their clips in folders "
    "train_splits, dev_splits_complete and output_repeated_splits_test, such as dia0_utt0.mp4"
)
_COLUMNS = ("Speaker", "Emotion", "Dialogue_ID", "Utterance_ID")

# Some clips of the test subset are there twice: those named like this have the sound of the
# table's utterance.
_CLIP = re.compile(r"(?P<mended>final_videos_test)?(?P<name>dia\d+_utt\d+)", re.IGNORECASE)


def load(root: str | PathLike[str] | None = None) -> Corpus:
    """Load the utterances of the tables, in the subsets of the release.

    A clip is the video that was released, or sound of the same name, which comes first. The
    release lacks a few; a warning counts them. Speakers are names of characters, whose sex the
    tables do not tell.

    Args:
        root: the folder with the tables and the folders of clips, or one above it.

    Example:
        >>> ser.corpora.load("meld", "/data/MELD.Raw")  # doctest: +SKIP
        Corpus('meld', 13707 utterances, emotions=('neutral', 'joy', 'sadness', 'anger', ...))
    """
    folder = required_folder(root, "MELD", _LAYOUT)
    tables, clips = _find(folder)
    utterances: list[Utterance] = []
    missing: list[str] = []
    for subset, names in _SUBSETS.items():
        # A table whose clips were never unpacked is no fault of single clips.
        if names.table not in tables or not any(found == names.folder for found, _ in clips):
            continue
        for row in _rows(tables[names.table]):
            clip = f"dia{row['Dialogue_ID']}_utt{row['Utterance_ID']}"
            if path := clips.get((names.folder, clip)):
                emotion, speaker = row["Emotion"].strip().lower(), row["Speaker"].strip()
                utterances.append(Utterance(path, emotion, speaker, split=subset))
            else:
                missing.append(f"{names.folder}/{clip}")
    if not utterances:
        found = f"{len(tables)} tables and {len(clips)} clips"
        raise CorpusError(f"{folder}: expected MELD, {_LAYOUT}; found {found}")
    if missing:
        warnings.warn(
            f"{folder}: skipped {len(missing)} utterances of MELD whose clip is missing, such as "
            f"{missing[0]}",
            stacklevel=3,
        )
    above = os.path.commonpath([utterance.path.parent for utterance in utterances])
    return Corpus.ordered("meld", utterances, EMOTIONS, Path(above))


def _find(folder: Path) -> tuple[dict[str, Path], dict[tuple[str, str], Path]]:
    """Find the tables by name, and the best file of each clip by folder and name."""
    tables: dict[str, Path] = {}
    ranked: dict[tuple[str, str], tuple[bool, bool, str]] = {}
    for directory, files in walk(folder):
        for path in files:
            if any(path.name == names.table for names in _SUBSETS.values()):
                tables.setdefault(path.name, path)
            match = _CLIP.fullmatch(path.stem)
            if match is None or not (is_sound(path) or path.suffix.lower() == ".mp4"):
                continue
            rank = not match["mended"], path.suffix.lower() == ".mp4", str(path)
            key = directory.name, match["name"].lower()
            ranked[key] = min(ranked.get(key, rank), rank)
    return tables, {key: Path(path) for key, (*_, path) in ranked.items()}


def _rows(table: Path) -> Iterator[Mapping[str, str]]:
    # The released tables are UTF-8 but for single bytes in what was said, which is not read.
    with table.open(encoding="utf-8", errors="replace", newline="") as file:
        reader = csv.DictReader(file)
        columns = reader.fieldnames or ()
        if missing := [column for column in _COLUMNS if column not in columns]:
            raise CorpusError(f"{table}: expected a column {missing[0]!r}, found {list(columns)}")
        yield from reader
