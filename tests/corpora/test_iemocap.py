"""IEMOCAP: a miniature that follows the release's layout and evaluation files to the letter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ser_keras import corpora
from ser_keras.errors import ConfigurationError, CorpusError

# Each turn's name, which tells who speaks, and its label in a dialog's evaluation file.
IMPROVISED = (
    ("F000", "neu"),
    ("F001", "hap"),
    ("M000", "sad"),
    ("M001", "ang"),
    ("F002", "exc"),
    ("M002", "fru"),
    ("F003", "xxx"),
    ("M003", "sur"),
    ("F004", "fea"),
    ("M004", "oth"),
    ("F005", "dis"),
    ("M005", "neu"),
)
SCRIPTED = (("F000", "ang"), ("MXX0", "neu"), ("F002", "hap"), ("M003", "exc"))


def evaluation(dialog: str, turns: tuple[tuple[str, str], ...]) -> str:
    """The text of `dialog/EmoEvaluation/DIALOG.txt` as released."""
    text = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"
    for number, (turn, label) in enumerate(turns):
        start = 6.2901 + 4 * number
        text += (
            f"[{start:.4f} - {start + 1.9456:.4f}]\t{dialog}_{turn}\t{label}"
            "\t[2.5000, 2.5000, 2.5000]\n"
            "C-E2:\tNeutral;\t()\nC-E3:\tNeutral; Sadness;\t()\nC-E4:\tNeutral;\t()\n"
            f"C-{turn[0]}1:\tNeutral;\t(curious)\n"
            "A-E3:\tval 3; act 2; dom  2;\t()\n"
            "A-E4:\tval 2; act 3; dom  3;\t(mildly aggravated but staying polite, attitude)\n"
            f"A-{turn[0]}1:\tval 3; act 2; dom  1;\t()\n\n"
        )
    return text


@pytest.fixture
def release(tmp_path: Path, record: Callable[..., Path]) -> Path:
    """Five sessions, each with two improvised dialogs and a scripted one."""
    folder = tmp_path / "IEMOCAP_full_release"
    for session in range(1, 6):
        labels = folder / f"Session{session}" / "dialog" / "EmoEvaluation"
        for annotator in ("Categorical", "Attribute", "Self-evaluation"):
            (labels / annotator).mkdir(parents=True)
        dialogs = {
            f"Ses{session:02d}F_impro01": IMPROVISED,
            f"Ses{session:02d}M_impro05a": IMPROVISED,
            f"Ses{session:02d}M_script01_1b": SCRIPTED,
        }
        for dialog, turns in dialogs.items():
            (labels / f"{dialog}.txt").write_text(evaluation(dialog, turns))
            (labels / f"._{dialog}.txt").write_bytes(b"\x00\x05\x16\x07\x00\xff Mac OS X")
            (labels / "Categorical" / f"{dialog}_e2_cat.txt").write_text(
                "".join(f"{dialog}_{turn} :Neutral state; ()\n" for turn, _ in turns)
            )
            (labels / "Attribute" / f"{dialog}_e3_atr.txt").write_text(
                "".join(f"{dialog}_{turn} :act 2; :val  3; :dom  2; ()\n" for turn, _ in turns)
            )
            wav = folder / f"Session{session}" / "sentences" / "wav" / dialog
            for turn, _ in turns:
                record(wav / f"{dialog}_{turn}.wav")
                (wav / f"._{dialog}_{turn}.wav").write_bytes(b"\x00\x05\x16\x07")
        # The whole dialogs lie elsewhere and are no utterances.
        record(folder / f"Session{session}" / "dialog" / "wav" / f"Ses{session:02d}F_impro01.wav")
    return folder


def test_the_papers_selection_is_the_default(release: Path):
    corpus = corpora.load("iemocap", release)

    expected = {
        f"Session{session}/sentences/wav/{dialog}/{dialog}_{turn}.wav": emotion
        for session in range(1, 6)
        for dialog in (f"Ses{session:02d}F_impro01", f"Ses{session:02d}M_impro05a")
        for turn, emotion in {
            "F000": "neutral",
            "F001": "happy",
            "M000": "sad",
            "M001": "angry",
            "M005": "neutral",
        }.items()
    }
    found = {corpus.relative_path(utterance): utterance.emotion for utterance in corpus}
    assert found == expected
    assert len(corpus) == 50
    assert corpus.emotions == ("neutral", "happy", "sad", "angry")
    assert list(found) == sorted(found)


def test_the_turn_tells_speaker_sex_and_session(release: Path):
    corpus = corpora.load("iemocap", release)

    assert corpus.sessions == tuple(f"Session{number}" for number in range(1, 6))
    assert corpus.speakers == tuple(f"Ses0{number}{sex}" for number in range(1, 6) for sex in "FM")
    for utterance in corpus:
        sex = utterance.path.stem.split("_")[-1][0]  # not the F or M of the dialog
        assert utterance.speaker[-1] == sex
        assert utterance.sex == {"F": "female", "M": "male"}[sex]
        assert utterance.session == f"Session{utterance.path.stem[4]}"


def test_scripted_dialogs_are_an_option(release: Path):
    corpus = corpora.load("iemocap", release, improvised=False)

    assert len(corpus) == 50 + 5 * 3
    assert any("_MXX0" in utterance.path.stem for utterance in corpus)


def test_merging_excitement_is_an_option(release: Path):
    apart = corpora.load("iemocap", release).counts()
    merged = corpora.load("iemocap", release, merge_excitement=True).counts()

    assert merged == {**apart, "happy": apart["happy"] + 10}


def test_labels_are_an_option(release: Path):
    corpus = corpora.load("iemocap", release, labels={"fru": "frustrated", "ang": "angry"})

    assert corpus.counts() == {"frustrated": 10, "angry": 10}


def test_an_unknown_label_code_is_refused(release: Path):
    with pytest.raises(ConfigurationError, match="'joy'"):
        corpora.load("iemocap", release, labels={"joy": "joy"})


def test_the_folder_above_or_a_single_session_is_accepted(release: Path):
    whole = corpora.load("iemocap", release)

    assert corpora.load("iemocap", release.parent) == whole
    deep = release.parent / "data" / "speech" / "IEMOCAP"
    deep.mkdir(parents=True)
    release.rename(deep / release.name)
    moved = corpora.load("iemocap", release.parent / "data")  # three folders above
    assert [moved.utterance_key(one) for one in moved] == [
        whole.utterance_key(one) for one in whole
    ]
    release = deep / release.name
    assert len(corpora.load("iemocap", release / "Session2")) == len(whole) / 5


def test_a_turn_without_sound_is_skipped_and_counted(release: Path):
    dialog = release / "Session1" / "sentences" / "wav" / "Ses01F_impro01"
    (dialog / "Ses01F_impro01_F000.wav").unlink()

    with pytest.warns(UserWarning, match=r"skipped 1 turns .*Ses01F_impro01_F000"):
        corpus = corpora.load("iemocap", release)

    assert len(corpus) == 49


def test_no_sound_at_all_is_an_error(release: Path):
    for path in release.glob("Session*/sentences/wav/*/*.wav"):
        path.unlink()

    with pytest.raises(CorpusError, match=r"found no sound, such as .*wav"):
        corpora.load("iemocap", release)


def test_a_malformed_line_loses_nothing_else(release: Path):
    file = release / "Session1" / "dialog" / "EmoEvaluation" / "Ses01F_impro01.txt"
    file.write_text("[broken\n" + file.read_text())

    with pytest.warns(UserWarning, match=r"Ses01F_impro01.txt: skipped a line"):
        corpus = corpora.load("iemocap", release)

    assert len(corpus) == 50


def test_another_folder_is_an_error_that_describes_the_layout(
    tmp_path: Path, record: Callable[..., Path]
):
    record(tmp_path / "Actor_01" / "03-01-05-01-01-01-01.wav")

    with pytest.raises(CorpusError, match=r"Session1 to Session5.*EmoEvaluation"):
        corpora.load("iemocap", tmp_path)
