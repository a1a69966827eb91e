"""Sound that people have, as `predict` and `stream` take it: whole, or refused by name."""

from __future__ import annotations

import io
import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ser_keras.commands import main as cli

RATE = 8000
RANDOM = np.random.default_rng(0)
LEFT, RIGHT = RANDOM.normal(0, 0.1, (2, 2 * RATE))

Run = Callable[..., tuple[int, list[dict[str, Any]], str]]


@pytest.fixture
def ser_keras(capfd: pytest.CaptureFixture[str], trained_run: Path) -> Run:
    """Run a command on a small model; gives its status, its lines and standard error."""

    def run(command: str, *words: str | Path) -> tuple[int, list[dict[str, Any]], str]:
        capfd.readouterr()
        warnings.simplefilter("default")  # as Python starts; pytest makes errors of them
        status = cli.main([command, "--model", str(trained_run), *map(str, words)])
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return status, [json.loads(line) for line in out.splitlines()], err

    return run


@pytest.fixture
def stream(ser_keras: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Pipe a file into `stream -`."""

    def run(content: bytes, *words: str | Path) -> tuple[int, list[dict[str, Any]], str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        return ser_keras("stream", "-", *words)

    return run


def encode(sound: np.ndarray, form: str = "WAV", subtype: str | None = None) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, sound, RATE, format=form, subtype=subtype)
    return file.getvalue()


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def probabilities(lines: list[dict[str, Any]]) -> list[list[float]]:
    return [list(line["probabilities"].values()) for line in lines]


@pytest.mark.parametrize(
    ("form", "subtype"),
    [
        ("FLAC", None), ("MP3", None), ("AIFF", None), ("OGG", "VORBIS"), ("RF64", None),
        ("W64", None), ("WAV", "GSM610"), ("WAV", "G721_32"), ("WAV", "IMA_ADPCM"),
        ("WAV", "PCM_24"), ("WAV", "ALAW"),
    ],
)  # fmt: skip
def test_a_pipe_answers_as_a_file_does(
    ser_keras: Run, stream: Run, tmp_path: Path, form: str, subtype: str | None
):
    content = encode(LEFT, form, subtype)
    path = write(tmp_path / "speech", content)
    status, [answer], _ = ser_keras("predict", path)
    assert status == 0
    assert answer["duration"] == pytest.approx(2.0, abs=0.05)
    for status, instants, _ in (stream(content), ser_keras("stream", path)):
        assert status == 0
        np.testing.assert_allclose(
            probabilities(instants), probabilities(answer["instants"]), atol=1e-6
        )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "a Git LFS pointer"),
        (b"<html><head><title>Sign in</title></head></html>", "a web page"),
        (b"PK\x03\x04" + bytes(60), "a ZIP archive"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 " + bytes(60), "RIFF of another kind"),
    ],
)
def test_what_is_not_sound_is_refused_by_name(
    ser_keras: Run, stream: Run, tmp_path: Path, content: bytes, message: str
):
    path = write(tmp_path / "speech.wav", content)
    status, [line], err = ser_keras("predict", path)
    assert (status, set(line)) == (1, {"file", "error"})
    assert f"expected sound, found {message}" in line["error"]
    for status, lines, err in (stream(content), ser_keras("stream", path)):
        assert (status, lines) == (1, [])
        assert f"expected sound, found {message}" in err


@pytest.mark.parametrize(
    "beginning", [b"\x00\x00\x00\x20ftypM4A \x00\x00\x00\x00", b"#!AMR\n", b"\x1aE\xdf\xa3"]
)
def test_what_needs_a_package_says_which(
    ser_keras: Run,
    stream: Run,
    tmp_path: Path,
    beginning: bytes,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setitem(sys.modules, "av", None)
    path = write(tmp_path / "phone", beginning + bytes(100))
    status, [line], _ = ser_keras("predict", path)
    assert status == 1
    assert "pip install 'ser-keras[av]'" in line["error"]
    status, lines, err = stream(path.read_bytes())
    assert (status, lines) == (1, [])
    assert "pip install 'ser-keras[av]'" in err


@pytest.mark.parametrize("length", [bytes(4), b"\xff" * 4])
def test_a_recorder_that_crashed(ser_keras: Run, stream: Run, tmp_path: Path, length: bytes):
    content = encode(LEFT)
    crashed = content[:4] + length + content[8:40] + length + content[44:]
    path = write(tmp_path / "crashed.wav", crashed)
    status, [answer], err = ser_keras("predict", path)
    assert status == 0
    assert answer["duration"] == pytest.approx(2.0)
    assert f"warning: {path}: the header does not say how long the sound is" in err
    for status, instants, err in (stream(crashed), ser_keras("stream", path)):
        assert (status, len(instants)) == (0, len(answer["instants"]))
        assert "the header does not say how long the sound is" in err


def test_channels_are_chosen_or_answered_each(ser_keras: Run, tmp_path: Path):
    call = write(tmp_path / "call.wav", encode(np.stack([LEFT, RIGHT], 1)))
    sides = [write(tmp_path / f"{n}.wav", encode(side)) for n, side in enumerate((LEFT, RIGHT))]
    _, expected, _ = ser_keras("predict", *sides)
    status, each, err = ser_keras("predict", "--channel", "each", call)
    assert (status, [line["channel"] for line in each]) == (0, [0, 1])
    assert "warning" not in err
    np.testing.assert_allclose(probabilities(each), probabilities(expected), atol=1e-6)
    _, [second], _ = ser_keras("predict", "--channel", 1, call)
    assert second == each[1]
    _, instants, _ = ser_keras("stream", "--channel", 1, call)
    np.testing.assert_allclose(
        probabilities(instants), probabilities(second["instants"]), atol=1e-6
    )
    for command in ("predict", "stream"):
        status, lines, err = ser_keras(command, call)
        assert status == 0
        assert "channel" not in lines[0]
        assert f"warning: {call}: the channels differ" in err
        assert "--channel each" in err
    status, [line], _ = ser_keras("predict", "--channel", 2, call)
    assert status == 1
    assert line["error"] == "channel: expected 0 to 1, found 2"
    with pytest.raises(SystemExit):
        ser_keras("predict", "--channel", "left", call)


def test_of_many_that_are_alike_one_is_mentioned(ser_keras: Run, tmp_path: Path):
    calls = [
        write(tmp_path / f"{n}.wav", encode(RANDOM.normal(0, 0.1, (RATE, 2)))) for n in range(5)
    ]
    status, lines, err = ser_keras("predict", *calls)
    assert (status, len(lines)) == (0, 5)
    assert [line for line in err.splitlines() if line.startswith("warning")] == [
        line for line in err.splitlines() if "the channels differ (correlation" in line
    ]
    assert err.count("warning: ") == 2
    assert "warning: 4 more like it: the channels differ" in err


@pytest.mark.parametrize(
    ("sound", "silent"),
    [
        (np.zeros(RATE), True),
        (np.full(RATE, 0.1), True),
        (RANDOM.normal(0, 1e-4, RATE), True),  # -80 dB
        (RANDOM.normal(0, 1e-3, RATE), False),  # -60 dB
        (np.r_[np.zeros(RATE), LEFT[: RATE // 2]], False),
        (LEFT[:500], False),
        (np.zeros(500), True),
        (np.stack([LEFT, -LEFT], 1), True),
    ],
)
def test_silence_is_flagged(
    ser_keras: Run, stream: Run, tmp_path: Path, sound: np.ndarray, silent: bool
):
    content = encode(sound, subtype="FLOAT")
    _, [answer], err = ser_keras("predict", write(tmp_path / "it.wav", content))
    assert answer["silent"] is silent
    assert ("the channels cancel" in err) == (sound.ndim == 2)
    _, instants, _ = stream(content)
    assert all(instant["silent"] for instant in instants) is silent
