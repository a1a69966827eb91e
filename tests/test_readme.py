"""Every command and line of Python in the README runs, on sound that is laid out as RAVDESS is."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ser_keras.commands import main as cli
from ser_keras.corpora.ravdess import EMOTIONS
from ser_keras.corpora.utterance import Corpus

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")

# Options that make a command quick; otherwise it runs as the README says.
QUICKER = {
    "train": ["--epochs", "2", "--set", "copies=1"],
    "reproduce": ["--epochs", "1", "--set", "recognition_units=8", "--set", "generation_units=8"],
}


def code_blocks() -> list[list[str]]:
    """The indented blocks, each as its lines."""
    blocks = re.findall(r"(?:^ {4}.+\n)+", README, re.MULTILINE)
    return [[line.strip() for line in block.splitlines()] for block in blocks]


def commands(program: str) -> list[list[str]]:
    """All lines of the README that begin with a program, as words without their comments."""
    lines = [shlex.split(line, comments=True) for block in code_blocks() for line in block]
    return [words for words in lines if words and words[0] == program]


@pytest.fixture
def place(synthetic_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with `hello.wav`, `RAVDESS/` and `CREMA-D/`, whose sound is synthetic."""
    takes: dict[tuple[str, str], int] = {}
    for utterance in synthetic_corpus:
        actor = synthetic_corpus.speakers.index(utterance.speaker) + 1
        take = takes[utterance.speaker, utterance.emotion] = (
            takes.get((utterance.speaker, utterance.emotion), 0) + 1
        )
        emotion = list(EMOTIONS).index(utterance.emotion) + 1
        folder = tmp_path / "RAVDESS" / f"Actor_{actor:02d}"
        folder.mkdir(parents=True, exist_ok=True)
        name = f"03-01-{emotion:02d}-01-01-{take:02d}-{actor:02d}.wav"
        shutil.copy(utterance.path, folder / name)
        if utterance.emotion in ("happy", "sad"):
            folder = tmp_path / "CREMA-D" / "AudioWAV"
            folder.mkdir(parents=True, exist_ok=True)
            sentence = ("DFA", "IEO")[take - 1]
            name = f"10{actor:02d}_{sentence}_{utterance.emotion[:3].upper()}_XX.wav"
            shutil.copy(utterance.path, folder / name)
    shutil.copy(synthetic_corpus[0].path, tmp_path / "hello.wav")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_ten_lines_of_python(place: Path, capsys: pytest.CaptureFixture[str]):
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert "epochs=200" in code
    quick = code.replace("/data/RAVDESS", str(place / "RAVDESS")).replace("=200", "=2")
    names: dict[str, object] = {}
    exec(compile(quick, "README.md", "exec"), names)  # noqa: S102
    answer = names["answer"]
    assert isinstance(answer, dict)
    assert answer["emotion"] in EMOTIONS
    assert len(answer["instants"][0]["attention"]) == 40
    weighted, unweighted = map(float, capsys.readouterr().out.split()[-2:])
    assert 0 <= weighted <= 1
    assert 0 <= unweighted <= 1


def test_the_command_line(place: Path, capsys: pytest.CaptureFixture[str]):
    lines = commands("ser-keras")
    assert {words[1] for words in lines} >= {"train", "evaluate", "predict", "reproduce"}
    for words in lines:
        words = [word.replace("/data", str(place)) for word in words[1:]]
        if words[0] == "serve":  # for ever: tests/export/serving
            continue
        if "--seeds" in words:
            words[words.index("--seeds") + 1] = "1"
        assert cli.main([*words, *QUICKER.get(words[0], [])]) == 0, words
        out = capsys.readouterr().out
        if words[0] == "predict":
            assert json.loads(out)["emotion"] in EMOTIONS
    assert (place / "reproduction" / "reproduction.json").exists()


def test_make_targets_exist():
    targets = {words[1] for words in commands("make")}
    assert {"demo", "test"} <= targets
    for target in targets:
        subprocess.run(["make", "-n", target], cwd=ROOT, check=True, capture_output=True)


def test_what_pip_is_told_to_install():
    extras = [re.findall(r"\[(\w+)\]", words[2]) for words in commands("pip")]
    declared = (ROOT / "setup.cfg").read_text(encoding="utf-8")
    for extra in [name for names in extras for name in names]:
        assert re.search(rf"^{extra} =", declared, re.MULTILINE), extra


def test_files_that_the_readme_names_exist():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_settings_that_the_readme_names_exist():
    from ser_keras.model import presets

    for key, value in re.findall(r"`([a-z_]+)=([a-z]+)`", README):
        presets.RAVDESS.with_settings({key: value})


def test_the_demo_command_is_known():
    done = subprocess.run(
        [sys.executable, "-m", "ser_keras", "demo", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--out" in done.stdout
