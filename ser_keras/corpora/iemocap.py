"""IEMOCAP, the interactive emotional dyadic motion capture database: ten speakers, five sessions.

Busso, Bulut, Lee, Kazemzadeh, Mower, Kim, Chang, Lee & Narayanan (2008), Language Resources and
Evaluation 42(4), 335-359.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path

from ser_keras.corpora.recordings import is_sound, required_folder
from ser_keras.corpora.utterance import Corpus, Utterance
from ser_keras.errors import CorpusError
from ser_keras.fields import require

# The labels that annotators agreed on; xxx is no agreement.
_CODES = ("neu", "hap", "sad", "ang", "exc", "fru", "sur", "fea", "dis", "oth", "xxx")
_LABELS = {"neu": "neutral", "hap": "happy", "sad": "sad", "ang": "angry"}

_LAYOUT = "folders Session1 to Session5, each with dialog/EmoEvaluation/*.txt and sentences/wav"

# [START - END]<TAB>TURN<TAB>LABEL<TAB>[VALENCE, ACTIVATION, DOMINANCE]
# The sex in a dialog's name is that of who wears the markers; that of the turn is who speaks.
_TURN_LINE = re.compile(
    r"\[\d+\.\d+ - \d+\.\d+\]\s+"
    r"(?P<turn>Ses(?P<session>\d\d)[FM]_\w+_(?P<sex>[FM])\w+)\s+(?P<label>[a-z]{3})\s+\[.*\]\s*"
)


def load(
    root: str | PathLike[str] | None = None,
    improvised: bool = True,
    labels: Mapping[str, str] | None = None,
    merge_excitement: bool = False,
) -> Corpus:
    """Load the turns that have one of some labels; by default the paper's selection.

    On the full release the defaults give 2,280 utterances of improvised dialogs: 1,099 neutral,
    284 happy, 608 sad, 289 angry.

    Args:
        root: the folder with `Session1` to `Session5`, one up to three folders above it, or one
            session.
        improvised: only improvised dialogs; False takes the scripted ones as well.
        labels: the release's codes and the class of each; by default neutral, happy, sad, angry.
        merge_excitement: count excitement as happiness, as much of the literature does.

    Example:
        >>> ser.corpora.load("iemocap", "/data/IEMOCAP")  # doctest: +SKIP
        Corpus('iemocap', 2280 utterances, emotions=('neutral', 'happy', 'sad', 'angry'))
    """
    classes = dict(_LABELS if labels is None else labels)
    for code in classes:
        require(code in _CODES, "labels", code, f"codes among {', '.join(_CODES)}")
    if merge_excitement:
        classes["exc"] = classes.get("hap", "happy")
    sessions = _session_folders(required_folder(root, "IEMOCAP", _LAYOUT))
    utterances: list[Utterance] = []
    missing: list[Path] = []
    for file in _evaluations(sessions, improvised):
        # SESSION/dialog/EmoEvaluation/DIALOG.txt, SESSION/sentences/wav/DIALOG/TURN.wav
        sound_folder = file.parents[2] / "sentences" / "wav" / file.stem
        sounds = {path.stem: path for path in sorted(sound_folder.glob("*")) if is_sound(path)}
        for turn in _turns(file):
            if turn["label"] not in classes:
                continue
            if turn["turn"] not in sounds:
                missing.append(sound_folder / f"{turn['turn']}.wav")
                continue
            utterances.append(
                Utterance(
                    path=sounds[turn["turn"]],
                    emotion=classes[turn["label"]],
                    speaker=f"Ses{turn['session']}{turn['sex']}",
                    session=f"Session{int(turn['session'])}",
                    sex="female" if turn["sex"] == "F" else "male",
                )
            )
    folder = sessions[0].parent
    if not utterances:
        dialogs = "improvised dialogs" if improvised else "dialogs"
        found = f"found no sound, such as {missing[0]}" if missing else "found none"
        raise CorpusError(
            f"{folder}: expected turns labelled {', '.join(classes)} in its {dialogs}, {found}"
        )
    if missing:
        warnings.warn(
            f"{folder}: skipped {len(missing)} turns of IEMOCAP whose sound is missing, such as "
            f"{missing[0]}",
            stacklevel=3,
        )
    emotions = tuple(dict.fromkeys(classes.values()))
    return Corpus.ordered("iemocap", utterances, emotions, folder)


def _session_folders(folder: Path) -> list[Path]:
    """Find the session folders in, below or at the folder that a user named."""
    below = (folder.glob(f"{'*/' * depth}Session[0-9]") for depth in range(4))
    for candidates in (next(below), [folder], *below):
        sessions = sorted(
            path for path in candidates if (path / "dialog" / "EmoEvaluation").is_dir()
        )
        copies = sorted({str(session.parent.relative_to(folder.parent)) for session in sessions})
        if len(copies) > 1:
            raise CorpusError(
                f"{folder}: expected one copy of IEMOCAP, found {' and '.join(copies)}; name one"
            )
        if sessions:
            return sessions
    raise CorpusError(f"{folder}: expected IEMOCAP, {_LAYOUT}; found none of them")


def _evaluations(sessions: list[Path], improvised: bool) -> Iterator[Path]:
    """Find the evaluation file of each dialog."""
    for session in sessions:
        # Only the files here are summaries; subfolders hold each annotator's own.
        folder = session / "dialog" / "EmoEvaluation"
        yield from sorted(folder.glob("Ses*impro*.txt" if improvised else "Ses*.txt"))


def _turns(file: Path) -> Iterator[re.Match[str]]:
    """Parse the lines of an evaluation file that list a turn and its label."""
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        if match := _TURN_LINE.fullmatch(line):
            yield match
        elif line.startswith("["):
            warnings.warn(f"{file}: skipped a line not of the form of a turn: {line}", stacklevel=4)
