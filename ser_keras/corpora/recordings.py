"""Published corpora whose recordings are found by the names that the release gave them."""

from __future__ import annotations

import filecmp
import os
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import soundfile

from ser_keras.corpora.utterance import Corpus, Utterance
from ser_keras.errors import CorpusError

_LOSSLESS = (".wav", ".flac", ".aiff", ".aif", ".aifc", ".au", ".caf", ".w64", ".rf64")
# The names of libsndfile's formats are endings of most; without a header, raw samples are no sound.
_LIBSNDFILES = {f".{name.lower()}" for name in soundfile.available_formats()} - {".raw"}
_OTHER_NAMES = (*_LOSSLESS, ".snd", ".oga", ".opus", ".sph", ".sf", ".bwf", ".iff", ".mp2")
# Those of what PyAV decodes where it is installed; who lacks it is told so of each recording.
_FFMPEGS = (".m4a", ".aac", ".mp4", ".amr", ".3gp", ".webm", ".mka", ".wma")
_SOUND = {*_LIBSNDFILES, *_OTHER_NAMES, *_FFMPEGS}

# Releases nest two or three folders. The limit keeps a wrong root, such as a home folder, from
# being walked to its last file.
_DEEPEST_FOLDER = 4

_LONGEST_END = 4  # most parts of a path that a pattern can match


class _Recording(NamedTuple):
    """A sound file named as the release names them, and what the name says, in capitals."""

    path: Path
    fields: dict[str, str]


@dataclass(frozen=True)
class Release:
    """A published corpus whose file names tell emotion and speaker.

    Example:
        >>> from ser_keras.corpora import emodb
        >>> emodb.RELEASE.load("/data/EMO-DB")  # doctest: +SKIP
        Corpus('emodb', 535 utterances, emotions=('anger', 'boredom', 'disgust', 'fear', ...))
    """

    name: str  # as `ser_keras.corpora.load` knows it
    title: str  # the name in messages
    layout: str  # folders and files in words, for the message when nothing is found
    # Matches the end of a recording's path, FOLDER/NAME or more, without the ending and in any
    # case. Its groups, among them `emotion` and `speaker`, tell one recording from all others.
    pattern: str
    emotions: Mapping[str, str]  # codes in the names, in capitals, to classes in canonical order
    speaker: Callable[[str], tuple[str, str]]  # a speaker's name and sex for the code in the names
    # Tells from a name's groups whether the recording belongs to the corpus.
    wanted: Callable[[Mapping[str, str]], bool] = lambda fields: True
    # Matches folders in which every sound file should be a recording; None where that is not known
    # of a folder before a recording is found in it.
    folder: str | None = None
    depth: int = 0  # number of folders between the corpus' root and its recordings
    ages: Mapping[str, int] = field(default_factory=dict)  # in years, by speaker, where published
    # Names of released recordings that no one can learn from, in capitals, and what is wrong with
    # them, as a message says after their number.
    faults: Mapping[str, str] = field(default_factory=dict)

    def load(self, root: str | os.PathLike[str] | None = None) -> Corpus:
        """Load the recordings in or below a folder, each once.

        A recording found twice counts once: archives of RAVDESS and TESS circulate that hold a copy
        of themselves, and CREMA-D comes as WAV and MP3. The one nearer to `root` is taken, then the
        lossless one. Sound files beside recordings but not named like one are skipped, and so are
        faulty recordings. Warnings count all of them.

        Args:
            root: the folder that the release describes, or one above it.

        Raises:
            CorpusError: there is no such folder, it holds no recording of this corpus, or it holds
                two versions of one recording, so that it is not clear which to take.
        """
        folder = required_folder(root, self.title, self.layout)
        recordings = _each_once(folder, self._find(folder), self.title)
        wanted = [recording for recording in recordings if self.wanted(recording.fields)]
        if not wanted:
            raise CorpusError(
                f"{folder}: expected {self.title}, {self.layout}; found only others, such as "
                f"{recordings[0].path}"
            )
        wanted = self._without_faults(folder, wanted)
        above = [self._root_of(recording.path) for recording in recordings]
        utterances = []
        for path, fields in wanted:
            speaker, sex = self.speaker(fields["speaker"])
            emotion, age = self.emotions[fields["emotion"]], self.ages.get(speaker)
            utterances.append(Utterance(path, emotion, speaker, sex=sex, age=age))
        classes = tuple(self.emotions.values())
        return Corpus.ordered(self.name, utterances, classes, Path(os.path.commonpath(above)))

    def _root_of(self, recording: Path) -> Path:
        """Return the folder that the release's own begin in; without them, that of the recording.

        The recording's folder may have another name than the release gave it, or none: all in one,
        or one an emotion.
        """
        parent = recording.parent
        as_released = self.folder is None or re.fullmatch(self.folder, parent.name, re.IGNORECASE)
        return recording.parents[self.depth] if as_released else parent

    def _without_faults(self, folder: Path, found: list[_Recording]) -> list[_Recording]:
        """Leave out faulty recordings, and count them."""
        reasons = Counter(
            self.faults[name] for one in found if (name := one.path.stem.upper()) in self.faults
        )
        if reasons:
            counts = " and ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
            warnings.warn(
                f"{folder}: left out {reasons.total()} recordings of {self.title}: {counts}",
                stacklevel=4,
            )
        return [one for one in found if one.path.stem.upper() not in self.faults]

    def _find(self, folder: Path) -> list[_Recording]:
        """Find the files named like recordings, at least one."""
        found: list[_Recording] = []
        strays: list[Path] = []
        for directory, files in walk(folder):
            here, others = [], []
            for path in filter(is_sound, files):
                end = "/".join(path.with_name(path.stem).parts[-_LONGEST_END:])
                if match := re.fullmatch(f"(?:.*/)?(?:{self.pattern})", end, re.IGNORECASE):
                    fields = {key: text.upper() for key, text in match.groupdict("").items()}
                    here.append(_Recording(path, fields))
                else:
                    others.append(path)
            found += here
            if here or (self.folder and re.fullmatch(self.folder, directory.name, re.IGNORECASE)):
                strays += others
        if not found:
            raise CorpusError(
                f"{folder}: expected {self.title}, {self.layout}; found {_contents(folder)}"
            )
        if strays:
            warnings.warn(
                f"{folder}: skipped {len(strays)} sound files not named like recordings of "
                f"{self.title}, such as {strays[0].relative_to(folder)}",
                stacklevel=4,
            )
        return found


def required_folder(root: str | os.PathLike[str] | None, title: str, layout: str) -> Path:
    """Return the folder that a user named as a corpus', made absolute; refuse a missing one.

    Example:
        >>> required_folder("nowhere", "TESS", "files such as YAF_back_ps.wav")
        Traceback (most recent call last):
        ser_keras.errors.CorpusError: ...nowhere: expected a folder with TESS, files such as ...
    """
    if root is None:
        raise CorpusError(f"{title}: expected the folder that holds it, {layout}; found none named")
    folder = Path(root).expanduser().absolute()
    if not folder.is_dir():
        found = "a file" if folder.exists() else "nothing"
        raise CorpusError(f"{folder}: expected a folder with {title}, {layout}; found {found}")
    return folder


def is_sound(path: Path) -> bool:
    """Tell sound files by their names; the hidden `._` files that macOS makes are not sound.

    Example:
        >>> [is_sound(Path(name)) for name in ("a.WAV", "a.txt", "._a.wav")]
        [True, False, False]
    """
    return path.suffix.lower() in _SOUND and not path.name.startswith(".")


def walk(root: Path) -> Iterator[tuple[Path, list[Path]]]:
    """Walk over the folders that may be read, as deep as releases nest, each with its files.

    Example:
        >>> Path(wav) in dict(walk(Path(wav).parent))[Path(wav).parent]
        True
    """
    for directory, below, names in os.walk(root, followlinks=True):
        folder = Path(directory)
        is_deepest = len(folder.relative_to(root).parts) == _DEEPEST_FOLDER
        # os.walk goes into the folders that are left in its list.
        below[:] = [] if is_deepest else sorted(name for name in below if name[0] != ".")
        paths = [folder / name for name in sorted(names)]
        yield folder, [path for path in paths if path.is_file()]


def sound_files(root: Path) -> list[Path]:
    """List the sound files in and below a folder.

    Example:
        >>> Path(wav) in sound_files(Path(wav).parent)
        True
    """
    return [path for _, files in walk(root) for path in files if is_sound(path)]


def _each_once(folder: Path, found: list[_Recording], title: str) -> list[_Recording]:
    """Leave out copies, in order of preference."""
    kept: dict[tuple[str, ...], _Recording] = {}
    copies: list[Path] = []
    for recording in sorted(found, key=lambda recording: _preference(recording.path)):
        path = recording.path
        first = kept.setdefault(tuple(recording.fields.values()), recording).path
        if first == path:
            continue
        copies.append(path)
        # Two versions in different folders, neither of them preferable, must be the same sound.
        equal = first.parent != path.parent and _preference(first)[:2] == _preference(path)[:2]
        if equal and not filecmp.cmp(first, path, shallow=False):
            raise CorpusError(
                f"{folder}: expected one version of each recording of {title}, found two, "
                f"{first.relative_to(folder)} and {path.relative_to(folder)}; "
                "name the folder of the version to use"
            )
    if copies:
        warnings.warn(
            f"{folder}: {len(copies)} recordings of {title} are there more than once and "
            f"count once, such as {copies[0].relative_to(folder)}",
            stacklevel=4,
        )
    return list(kept.values())


def _preference(path: Path) -> tuple[int, bool, str]:
    """Sort nearer to the root first, then lossless first, then by name."""
    return len(path.parts), path.suffix.lower() not in _LOSSLESS, path.as_posix()


def _contents(folder: Path) -> str:
    """Name the first entries of a folder, for a message."""
    try:
        names = sorted(path.name for path in folder.iterdir())
    except PermissionError:
        return "a folder that may not be read"
    if not names:
        return "an empty folder"
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
