"""What `predict` prints and writes: short lines, names as they are, nothing of any library."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ser_keras.commands import main as cli
from ser_keras.commands.standard_output import results_only
from ser_keras.sound import decoding

LINE_KEYS = ["file", "emotion", "probabilities", "duration", "padded", "silent"]
LINE_KEYS += ["familiarity", "instants"]
INSTANT_KEYS = ["time", "emotion", "probabilities", "sampled_fraction"]


class Predict:
    """The command `predict` with a tiny model, in this process."""

    def __init__(self, model: Path | str, capture: pytest.CaptureFixture[str]) -> None:
        self._model = model
        self._capture = capture
        self.err = ""

    def text(self, *words: str | Path, status: int = 0) -> str:
        self._capture.readouterr()
        found = cli.main(["predict", "--model", str(self._model), *map(str, words)])
        out, self.err = self._capture.readouterr()
        assert found == status, self.err
        return out

    def lines(self, *words: str | Path, status: int = 0) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text(*words, status=status).splitlines()]


@pytest.fixture
def predict(trained_run: Path, capfd: pytest.CaptureFixture[str]) -> Predict:
    return Predict(trained_run, capfd)


@pytest.fixture
def sound(tmp_path: Path) -> Callable[..., Path]:
    """Write so many seconds of noise."""

    def write(name: str = "sound.wav", seconds: float = 1.2) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        noise = np.random.default_rng(len(name)).normal(0, 0.1, round(seconds * 8000))
        soundfile.write(path, noise, 8000)
        return path

    return write


def test_four_seconds_take_a_few_kilobytes(
    sound: Callable[..., Path], capfd: pytest.CaptureFixture[str]
):
    out = Predict("convolutional", capfd).text(sound(seconds=4.0))
    assert len(out) < 5000
    line = json.loads(out)
    assert list(line) == LINE_KEYS
    assert len(line["instants"]) == 8  # the last ones in the silence that the model adds
    assert all(list(instant) == INSTANT_KEYS for instant in line["instants"])


def test_attention_is_added_or_written_to_files(
    predict: Predict, sound: Callable[..., Path], tmp_path: Path
):
    files = [sound(), sound("other/sound.wav"), tmp_path / "missing.wav", sound("b.flac", 0.1)]
    plain = predict.lines(*files, status=1)
    full = predict.lines("--attention", *files, status=1)
    out = tmp_path / "new" / "arrays"
    written = predict.lines("--attention", "--out", out, *files, status=1)
    names = ["sound.wav.npz", "sound.wav-2.npz", "b.flac.npz"]
    assert sorted(path.name for path in out.iterdir()) == sorted(names)
    assert [line.pop("attention", None) for line in written] == [
        *(str(out / name) for name in names[:2]), None, str(out / names[2]),
    ]  # fmt: skip
    assert written == plain
    for line, name in zip([full[0], full[1], full[3]], names, strict=True):
        with np.load(out / name) as arrays:
            assert set(arrays) == {"time", "saliency", "attention"}
            instants = line["instants"]
            np.testing.assert_array_equal(arrays["time"], [one["time"] for one in instants])
            saliency = [one["saliency"] for one in instants]
            np.testing.assert_allclose(arrays["saliency"], saliency, atol=1e-6)
            assert arrays["attention"].dtype == bool
            np.testing.assert_array_equal(arrays["attention"], [i["attention"] for i in instants])


def test_attention_of_patches_has_their_shape(
    sound: Callable[..., Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    Predict("tiny", capfd).text("--attention", "--out", tmp_path / "one.npz", sound(seconds=2.0))
    with np.load(tmp_path / "one.npz") as arrays:
        instants = len(arrays["time"])
        assert arrays["saliency"].shape == arrays["attention"].shape == (instants, 64, 40)
        assert arrays["attention"][0].all()


def test_one_file_of_arrays_is_for_one_recording(
    predict: Predict, sound: Callable[..., Path], tmp_path: Path
):
    files = [sound(), sound("b.wav")]
    assert predict.text("--attention", "--out", tmp_path / "one.npz", *files, status=1) == ""
    assert "one.npz" in predict.err
    assert "--out: expected a folder for 2 recordings" in predict.err


def test_lines_are_appended_to_a_file_that_is_gone_on_with(
    predict: Predict, sound: Callable[..., Path], tmp_path: Path
):
    out, first, second = tmp_path / "lines.jsonl", sound("Größe.wav"), sound("b.wav")
    assert predict.text("--out", out, first) == ""
    before = out.read_text("utf-8")
    assert "Größe.wav" in before
    with out.open("a", encoding="utf-8") as file:
        file.write('{"file": "half a li')
    assert predict.text("--out", out, first, second) == ""
    lines = out.read_text("utf-8").splitlines()
    assert lines[0] == before.strip()
    assert json.loads(lines[2])["file"] == str(second)
    assert len(lines) == 3


def test_a_terminal_gets_a_table_unless_json_is_asked_for(
    predict: Predict,
    sound: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("TERM", "dumb")  # no colors
    files = [sound("怒り.wav"), sound("[red]b\x1b[2J.wav", 0.1), tmp_path / "missing.wav"]
    lines = predict.lines(*files, status=1)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    header, *rows = predict.text(*files, status=1).splitlines()
    assert header.split() == ["file", "emotion", "probability"]
    for row, line, name in zip(
        rows, lines, ["怒り.wav", "[red]b?[2J.wav", "missing.wav"], strict=True
    ):
        assert name in row
        if "error" in line:
            assert line["error"] in row
            continue
        share = line["probabilities"][line["emotion"]]
        assert line["emotion"] in row
        assert f"{share:.0%}" in row
        assert row.count("█") == round(24 * share)
        assert ("padded" in row) == line["padded"]
    assert predict.lines("--json", *files, status=1) == lines


def test_libraries_that_print_do_not_get_into_the_lines(
    predict: Predict, sound: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
):
    path = sound()
    expected = predict.lines(path)
    blocks = decoding.mono_blocks

    def printing(*words: Any, **options: Any) -> Any:
        os.write(1, b"[mpg123] this is not JSON\n")
        ctypes.CDLL(None).puts(b"nor is this")
        return blocks(*words, **options)

    monkeypatch.setattr(decoding, "mono_blocks", printing)
    assert predict.lines(path) == expected
    assert "[mpg123] this is not JSON" in predict.err
    assert "nor is this" in predict.err


def test_standard_output_is_utf_8_whatever_the_locale():
    program = (
        "import os, sys\n"
        "from ser_keras.commands.standard_output import results_only\n"
        "with results_only():\n"
        "    os.write(1, b'noise')\n"
        "    print('Größe', os.fsdecode(b'caf\\xe9'))\n"
        "print('after')\n"
    )
    environment = os.environ | {"PYTHONIOENCODING": "latin-1:strict"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, check=True
    )
    assert done.stdout == "Größe caf".encode() + b"\xe9\nafter\n"
    assert done.stderr == b"noise"


def test_a_standard_output_that_is_closed_is_left_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdout", None)
    with results_only():
        pass


SLOW_TO_IMPORT = ("librosa", "numba", "tensorflow_probability", "keras_tuner")
# TensorFlow imports these itself where they are installed.
ALSO_SLOW = ("sklearn", "matplotlib", "scipy")


def test_a_first_answer_waits_for_no_library_that_it_does_not_need(sound: Callable[..., Path]):
    names: Sequence[str] = (*SLOW_TO_IMPORT, *ALSO_SLOW)
    program = (
        "import sys\n"
        "import tensorflow\n"
        f"before = [name for name in {names} if name in sys.modules]\n"
        "from ser_keras.commands import main as cli\n"
        f"status = cli.main(['predict', '--model', 'tiny', {str(sound())!r}])\n"
        f"after = [name for name in {names} if name in sys.modules]\n"
        "sys.exit(f'{status} {set(after) - set(before)} {before}')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    status, added, before = done.stderr.splitlines()[-1].split(maxsplit=2)
    assert (status, added) == ("0", "set()"), done.stderr
    assert not set(SLOW_TO_IMPORT) & set(json.loads(before.replace("'", '"')))
