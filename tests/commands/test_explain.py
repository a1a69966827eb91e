"""`ser-keras explain`: what is printed and left, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser_keras.commands import main as cli
from ser_keras.corpora.utterance import Corpus


def test_a_recording_is_explained(
    trained_run: Path, synthetic_corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "out"
    words = ["explain", "--model", str(trained_run), "--out", str(out), "--continue", "1"]
    assert cli.main([*words, str(synthetic_corpus[0].path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    content = json.loads((out / "explanation.json").read_text())
    assert lines[0].startswith(content["answer"]["emotion"])
    assert lines[-1] == str(out / "explanation.html")
    assert (out / "continuation.wav").exists()


def test_a_channel_and_a_stretch_of_it(
    trained_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    noise = np.random.default_rng(0).normal(size=(44100, 2)) * [0.1, 0.0]
    soundfile.write(tmp_path / "stereo.wav", noise, 22050)
    words = ["explain", "--model", str(trained_run), "--out", str(tmp_path / "out")]
    words += ["--channel", "1", "--start", "0.5", str(tmp_path / "stereo.wav")]
    assert cli.main(words) == 0
    answer = json.loads((tmp_path / "out" / "explanation.json").read_text())["answer"]
    assert (answer["channel"], answer["duration"], answer["silent"]) == (1, 1.5, True)
    assert "nothing but silence" in capsys.readouterr().out


def test_what_cannot_be_explained_is_refused_in_a_line(
    trained_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    soundfile.write(tmp_path / "long.wav", np.zeros(8000 * 125, np.float32), 8000)
    (tmp_path / "text.wav").write_text("no sound")
    words = ["explain", "--model", str(trained_run), "--out", str(tmp_path / "out")]
    for name, expected in (
        ("long.wav", "long.wav: duration: expected at most 120 s to explain"),
        ("text.wav", "text.wav: "),
        ("missing.wav", "missing.wav: "),
    ):
        assert cli.main([*words, str(tmp_path / name)]) == 1
        assert expected in capsys.readouterr().err
    assert cli.main([*words, "--channel", "each", str(tmp_path / "long.wav")]) == 1
    assert "--channel: expected one channel or mix" in capsys.readouterr().err
    (tmp_path / "file").touch()
    words[-1] = str(tmp_path / "file")
    assert cli.main([*words, str(tmp_path / "long.wav")]) == 1
    assert "expected a folder to write to" in capsys.readouterr().err
