"""Finding a corpus' recordings below a folder, by the names that its release gave them."""

from __future__ import annotations

import filecmp
import os
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ser_keras.errors import CorpusError

LOSSLESS_ENDINGS = (".wav", ".flac")
SOUND_ENDINGS = (*LOSSLESS_ENDINGS, ".mp3", ".ogg")

# Releases nest two or three folders; a limit keeps a wrong root, such as a home folder, from being
# walked to its last file.
DEEPEST_FOLDER = 4


@dataclass(frozen=True)
class Layout:
    """How a released corpus names its recordings.

    Attributes:
        title: the corpus' name in messages.
        looked_for: the layout in words, for the message when nothing is found.
        name: what FOLDER/NAME of a recording, without the ending, matches whole. Its groups tell
            one recording from all others.
        folder: folders in which every sound file should be a recording; None where that is not
            known of a folder before one is found in it.
        depth: folders between the corpus' root and its recordings.
    """

    title: str
    looked_for: str
    name: re.Pattern[str]
    folder: re.Pattern[str] | None = None
    depth: int = 0


@dataclass(frozen=True)
class Recording:
    """A sound file whose name follows the layout, and what the name says."""

    path: Path
    fields: dict[str, str]


def required_folder(root: str | os.PathLike[str] | None, title: str, looked_for: str) -> Path:
    """The folder a user named, made absolute.

    Raises:
        CorpusError: no folder was named, or there is none of that name.
    """
    if root is None:
        raise CorpusError(f"{title} needs the folder that holds it (looked for {looked_for})")
    folder = Path(root).expanduser().absolute()
    if not folder.is_dir():
        found = "a file" if folder.exists() else "nothing"
        raise CorpusError(
            f"{folder}: expected a folder with {title}, found {found} (looked for {looked_for})"
        )
    return folder


def is_sound(path: Path) -> bool:
    """Whether the name is that of a sound file; the hidden `._` twins that macOS makes are not."""
    return path.suffix.lower() in SOUND_ENDINGS and not path.name.startswith(".")


def find_recordings(
    root: str | os.PathLike[str] | None, layout: Layout
) -> tuple[Path, list[Recording]]:
    """The recordings below a folder, each once, and the folder their relative paths start from.

    The folder may be the one the layout describes or one above it. A recording found twice counts
    once: archives of RAVDESS and TESS that circulate hold a nested copy of themselves, and CREMA-D
    comes as WAV and MP3. The one nearer to the root is taken, then the lossless one. Sound files
    beside recordings that are not named like one are skipped. Both are reported in a warning.

    Raises:
        CorpusError: there is no such folder, it holds no recording of this layout, or it holds two
            versions of one recording, so that it is not clear which to take.
    """
    folder = required_folder(root, layout.title, layout.looked_for)
    found: list[Recording] = []
    strays: list[Path] = []
    for directory, sounds in _folders_of_sounds(folder):
        matches = [
            (path, layout.name.fullmatch(f"{directory.name}/{path.stem}")) for path in sounds
        ]
        found += [Recording(path, match.groupdict()) for path, match in matches if match]
        expected = layout.folder is not None and layout.folder.fullmatch(directory.name)
        if expected or any(match for _, match in matches):
            strays += [path for path, match in matches if not match]
    if not found:
        raise CorpusError(
            f"{folder}: no recording of {layout.title} here; looked for {layout.looked_for}; "
            f"found {_contents(folder)}"
        )
    if strays:
        warnings.warn(
            f"{folder}: skipped {len(strays)} sound files not named like recordings of "
            f"{layout.title}, such as {strays[0].relative_to(folder)}",
            stacklevel=3,
        )
    recordings = _each_once(folder, found, layout)
    return _common_folder(recordings, layout.depth), recordings


def _folders_of_sounds(root: Path) -> Iterator[tuple[Path, list[Path]]]:
    """Each folder down to the deepest, nearest to the root first, with the sound files in it."""
    level = [root]
    for _ in range(DEEPEST_FOLDER + 1):
        below: list[Path] = []
        for directory in level:
            try:
                entries = sorted(directory.iterdir())
            except PermissionError:
                continue
            yield directory, [path for path in entries if is_sound(path) and path.is_file()]
            below += [path for path in entries if not path.name.startswith(".") and path.is_dir()]
        level = below


def _each_once(folder: Path, found: list[Recording], layout: Layout) -> list[Recording]:
    """The recordings without copies of an earlier one, in order of preference."""
    kept: dict[tuple[str, ...], Recording] = {}
    copies: list[Path] = []
    for recording in sorted(found, key=lambda recording: _preference(recording.path)):
        identity = tuple(value.lower() for value in recording.fields.values())
        first = kept.setdefault(identity, recording).path
        if first == recording.path:
            continue
        copies.append(recording.path)
        elsewhere = first.parent != recording.path.parent
        rivals = elsewhere and _preference(first)[:2] == _preference(recording.path)[:2]
        if rivals and not filecmp.cmp(first, recording.path, shallow=False):
            raise CorpusError(
                f"{folder}: holds two versions of one recording of {layout.title}, "
                f"{first.relative_to(folder)} and {recording.path.relative_to(folder)}; "
                "name the folder of the version to use"
            )
    if copies:
        warnings.warn(
            f"{folder}: {len(copies)} recordings of {layout.title} are there more than once and "
            f"count once, such as {copies[0].relative_to(folder)}",
            stacklevel=4,
        )
    return list(kept.values())


def _preference(path: Path) -> tuple[int, bool, str]:
    """Sorts nearer to the root first, then lossless first, then by name."""
    return len(path.parts), path.suffix.lower() not in LOSSLESS_ENDINGS, path.as_posix()


def _common_folder(recordings: list[Recording], depth: int) -> Path:
    """The deepest folder at least `depth` above every recording's own."""
    return Path(os.path.commonpath([recording.path.parents[depth] for recording in recordings]))


def _contents(folder: Path) -> str:
    """The first names in a folder, for a message."""
    try:
        names = sorted(path.name for path in folder.iterdir())
    except PermissionError:
        return "a folder that may not be read"
    if not names:
        return "an empty folder"
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
