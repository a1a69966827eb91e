"""IEMOCAP, the interactive emotional dyadic motion capture database.

Busso, Bulut, Lee, Kazemzadeh, Mower, Kim, Chang, Lee & Narayanan (2008), Language Resources and
Evaluation 42(4), 335-359.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from ser_keras.corpora.recordings import is_sound, required_folder
from ser_keras.corpora.utterance import Corpus, Utterance
from ser_keras.errors import ConfigurationError, CorpusError

# The labels that annotators agreed on; xxx is no agreement.
CODES = ("neu", "hap", "sad", "ang", "exc", "fru", "sur", "fea", "dis", "oth", "xxx")
LABELS = {"neu": "neutral", "hap": "happy", "sad": "sad", "ang": "angry"}

LOOKED_FOR = "Session1 to Session5, each with dialog/EmoEvaluation/*.txt and sentences/wav"

# [START - END]<TAB>TURN<TAB>LABEL<TAB>[VALENCE, ACTIVATION, DOMINANCE]
# The sex in a dialog's name is that of who wears the markers; that of the turn is who speaks.
TURN_LINE = re.compile(
    r"\[\d+\.\d+ - \d+\.\d+\]\s+"
    r"(?P<turn>Ses(?P<session>\d\d)[FM]_\w+_(?P<sex>[FM])\w+)\s+(?P<label>[a-z]{3})\s+\[.*\]\s*"
)


@dataclass(frozen=True)
class _Turn:
    """A line of an evaluation file: a turn and the label that its annotators agreed on."""

    sound_folder: Path
    name: str
    session: int
    sex: str
    label: str


def load(
    root: str | PathLike[str] | None = None,
    improvised: bool = True,
    labels: Mapping[str, str] | None = None,
    merge_excitement: bool = False,
) -> Corpus:
    """The turns with a label in question; by default the paper's selection.

    On the full release the defaults give 2,280 utterances of improvised dialogs: 1,099 neutral,
    284 happy, 608 sad, 289 angry.

    Args:
        root: the folder with `Session1` to `Session5`, or one above it, or one session.
        improvised: only improvised dialogs; False takes the scripted ones as well.
        labels: the release's codes and the class each becomes; None is neutral, happy, sad, angry.
        merge_excitement: count excitement as happiness, as much of the literature does.

    Raises:
        ConfigurationError: a label is not one of the release's.
        CorpusError: the folder does not hold IEMOCAP.
    """
    classes = dict(LABELS if labels is None else labels)
    for code in classes:
        if code not in CODES:
            raise ConfigurationError(
                f"labels: expected codes among {', '.join(CODES)}, found {code!r}"
            )
    if merge_excitement:
        classes["exc"] = classes.get("hap", "happy")
    folder = required_folder(root, "IEMOCAP", LOOKED_FOR)
    sessions = _session_folders(folder)
    utterances: list[Utterance] = []
    silent: list[Path] = []
    sounds: dict[Path, dict[str, Path]] = {}
    for turn in _turns(sessions, improvised):
        if turn.label not in classes:
            continue
        if turn.sound_folder not in sounds:
            sounds[turn.sound_folder] = _sounds(turn.sound_folder)
        path = sounds[turn.sound_folder].get(turn.name)
        if path is None:
            silent.append(turn.sound_folder / f"{turn.name}.wav")
            continue
        utterances.append(
            Utterance(
                path=path,
                emotion=classes[turn.label],
                speaker=f"Ses{turn.session:02d}{turn.sex}",
                session=f"Session{turn.session}",
                sex="female" if turn.sex == "F" else "male",
            )
        )
    if silent and not utterances:
        raise CorpusError(f"{folder}: no turn has its sound; looked for {silent[0]} and others")
    if not utterances:
        raise CorpusError(
            f"{folder}: no turn is labelled {', '.join(classes)} in its "
            f"{'improvised ' if improvised else ''}dialogs"
        )
    if silent:
        warnings.warn(
            f"{folder}: skipped {len(silent)} turns of IEMOCAP whose sound is missing, such as "
            f"{silent[0]}",
            stacklevel=2,
        )
    emotions = tuple(dict.fromkeys(classes.values()))
    return Corpus.ordered("iemocap", utterances, emotions, sessions[0].parent)


def _session_folders(folder: Path) -> list[Path]:
    """The session folders in, below or at the folder a user named."""
    for candidates in (folder.glob("Session[0-9]"), folder.glob("*/Session[0-9]"), [folder]):
        sessions = sorted(
            path for path in candidates if (path / "dialog" / "EmoEvaluation").is_dir()
        )
        if len({session.parent for session in sessions}) > 1:
            raise CorpusError(
                f"{folder}: holds more than one copy of IEMOCAP, below "
                f"{' and '.join(sorted({session.parent.name for session in sessions}))}; name one"
            )
        if sessions:
            return sessions
    raise CorpusError(f"{folder}: no IEMOCAP here; looked for {LOOKED_FOR}")


def _turns(sessions: list[Path], improvised: bool) -> Iterator[_Turn]:
    """Every turn that the evaluation files list."""
    for session in sessions:
        # Only the files here are summaries; subfolders hold each annotator's own.
        for file in sorted((session / "dialog" / "EmoEvaluation").glob("*.txt")):
            dialog = file.stem
            if file.name.startswith(".") or (improvised and "impro" not in dialog):
                continue
            for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
                match = TURN_LINE.fullmatch(line)
                if match:
                    yield _Turn(
                        sound_folder=session / "sentences" / "wav" / dialog,
                        name=match["turn"],
                        session=int(match["session"]),
                        sex=match["sex"],
                        label=match["label"],
                    )
                elif line.startswith("["):
                    warnings.warn(
                        f"{file}: skipped a line not of the form of a turn: {line}", stacklevel=3
                    )


def _sounds(folder: Path) -> dict[str, Path]:
    """The sound files of a dialog by the name of their turn."""
    if not folder.is_dir():
        return {}
    return {path.stem: path for path in sorted(folder.iterdir()) if is_sound(path)}
