"""Everything a user can get wrong is named, and nothing else is lost by it."""

from __future__ import annotations

import csv
import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ser_keras.commands import main as cli
from ser_keras.corpora.utterance import Corpus

pytestmark = pytest.mark.usefixtures("eagerly")

RATE = 8000

# Recordings by name: the duration in the answer, in seconds, or words of the error.
GOOD = {
    "plain.wav": 2.0,
    "silence.wav": 2.0,
    "8-bit.wav": 2.0,
    "24-bit.wav": 2.0,
    "6-channels.wav": 2.0,
    "192-khz.wav": 2.0,
    "44.1-khz.flac": 2.0,
    "short.wav": 0.1,
    "capital.WAV": 2.0,
    "wrong-name.mp3": 2.0,
    "twenty-minutes.flac": 1200.0,
}
BAD = {
    "empty.wav": "empty",
    "text.wav": "expected sound, found text, 'these are words",
    "truncated.wav": "truncated",
    "header-only.wav": "truncated",
    "no-samples.wav": "no samples",
    "half-a-header.wav": "expected sound, found WAV that is damaged",
    "nan.wav": "expected finite samples",
    "infinite.wav": "expected finite samples",
    "huge.wav": "times full scale",
    "claims-100-mhz.wav": "sample rate",
    "picture.wav": "expected sound, found a PNG picture",
    "missing.wav": "No such file",
    "folder.wav": "directory",
}


def noise(seconds: float, rate: int, channels: int = 1) -> np.ndarray:
    samples = np.random.default_rng(7).normal(0, 0.1, (round(seconds * rate), channels))
    return np.clip(samples, -0.9, 0.9)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of all of `GOOD` and `BAD`."""
    folder = tmp_path_factory.mktemp("recordings")
    plain = noise(2.0, RATE)
    write = soundfile.write
    write(folder / "plain.wav", plain, RATE)
    write(folder / "silence.wav", np.zeros(2 * RATE), RATE)
    write(folder / "8-bit.wav", plain, RATE, subtype="PCM_U8")
    write(folder / "24-bit.wav", plain, RATE, subtype="PCM_24")
    write(folder / "6-channels.wav", noise(2.0, RATE, 6), RATE)
    write(folder / "192-khz.wav", noise(2.0, 192_000), 192_000)
    write(folder / "44.1-khz.flac", noise(2.0, 44_100), 44_100)
    write(folder / "short.wav", noise(0.1, RATE), RATE)
    write(folder / "twenty-minutes.flac", noise(1200.0, RATE), RATE)
    whole = (folder / "plain.wav").read_bytes()
    (folder / "capital.WAV").write_bytes(whole)
    (folder / "wrong-name.mp3").write_bytes(whole)

    (folder / "empty.wav").touch()
    (folder / "text.wav").write_text("these are words, not sound")
    (folder / "truncated.wav").write_bytes(whole[: 44 + 2 * RATE])
    (folder / "header-only.wav").write_bytes(whole[:44])
    write(folder / "no-samples.wav", np.zeros(0), RATE)
    (folder / "half-a-header.wav").write_bytes(whole[:20])
    for name, value in (("nan.wav", np.nan), ("infinite.wav", np.inf), ("huge.wav", 1e20)):
        damaged = plain.astype(np.float32)
        damaged[5000] = value
        write(folder / name, damaged, RATE, subtype="FLOAT")
    rate = (100_000_000).to_bytes(4, "little")
    (folder / "claims-100-mhz.wav").write_bytes(whole[:24] + rate + whole[28:])
    (folder / "picture.wav").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(1000))
    (folder / "folder.wav").mkdir()
    return folder


@pytest.fixture
def ser_keras(capfd: pytest.CaptureFixture[str]) -> Any:
    """Run a command in this process; gives its status, standard output and error."""

    def run(*words: str | Path) -> tuple[int, str, str]:
        capfd.readouterr()
        warnings.simplefilter("default")  # as Python starts; pytest makes errors of them
        status = cli.main([str(word) for word in words])
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        assert "unexpected" not in err
        return status, out, err

    return run


def manifest(path: Path, rows: Sequence[tuple[object, ...]], *columns: str) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["path", "emotion", *columns], *rows])
    return path


def tiny_words(settings: dict[str, Any]) -> list[str]:
    one_epoch = settings | {"epochs": 1}
    return [word for key, value in one_epoch.items() for word in ("--set", f"{key}={value}")]


def test_every_recording_is_answered_or_its_error_is_named(
    ser_keras: Any, trained_run: Path, recordings: Path
):
    names = [*GOOD, *BAD, "plain.wav"]  # the last one shows that nothing before it did harm
    files = [recordings / name for name in names]
    status, out, err = ser_keras("predict", "--model", trained_run, *files)
    assert status == 1
    assert f"{len(BAD)} of {len(names)} files cannot be used" in err
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["file"] for line in lines] == [str(file) for file in files]
    for name, line in zip(names, lines, strict=True):
        if name in GOOD:
            assert line["duration"] == pytest.approx(GOOD[name], abs=1e-3), name
            assert line["padded"] == (GOOD[name] < 0.5)
            probabilities = list(line["probabilities"].values())
            assert np.isfinite(probabilities).all()
            assert sum(probabilities) == pytest.approx(1.0, abs=1e-5)
        else:
            assert set(line) == {"file", "error"}
            assert BAD[name] in line["error"], (name, line["error"])
    assert lines[-1] == lines[0]
    assert {**lines[names.index("wrong-name.mp3")], "file": ""} == {**lines[0], "file": ""}


@pytest.mark.usefixtures("without_plots")
def test_broken_recordings_of_a_corpus_are_reported_and_the_rest_is_trained_on(
    ser_keras: Any, recordings: Path, tiny_settings: dict[str, Any], tmp_path: Path
):
    usable = [name for name in GOOD if name != "twenty-minutes.flac"]
    broken = [name for name in BAD if name not in ("missing.wav", "folder.wav")]
    rows = [
        (recordings / name, "ab"[number % 2], part)
        for part, names in (("train", usable[:6] + broken[:5]), ("test", usable[6:] + broken[5:]))
        for number, name in enumerate(names)
    ]
    data = manifest(tmp_path / "own.csv", rows, "split")
    run = tmp_path / "run"
    status, _, err = ser_keras(
        "train", "--corpus", "manifest", "--data", data, "--split", "predefined", "--out", run,
        "--validation-fraction", 0, *tiny_words(tiny_settings),
    )  # fmt: skip
    assert status == 0, err
    # One line for every kind: two are truncated.
    assert f"skipped 2 recordings, such as {recordings / 'header-only.wav'}: truncated" in err
    assert all(f"skipped {recordings / broken[n]}: " in err for n in (0, 1, 4))
    status, _, err = ser_keras("evaluate", run)
    assert status == 0, err
    numbers = json.loads((run / "evaluation.json").read_text())
    assert numbers["n_test"] == len(usable[6:]) - 1
    assert numbers["n_skipped_short"] == 1  # short.wav
    assert numbers["n_failed"] == len(broken[5:])
    assert f"skipped 2 recordings, such as {recordings / 'infinite.wav'}: expected finite" in err
    others = [name for name in broken[5:] if name not in ("nan.wav", "infinite.wav")]
    assert all(f"skipped {recordings / name}: " in err for name in others)


def test_an_emotion_with_a_single_utterance(ser_keras: Any, recordings: Path, tmp_path: Path):
    rows = [
        (recordings / "plain.wav", "a"),
        (recordings / "8-bit.wav", "a"),
        (recordings / "24-bit.wav", "lonely"),
    ]
    data = manifest(tmp_path / "own.csv", rows)
    status, out, err = ser_keras(
        "train", "--corpus", "manifest", "--data", data, "--out", tmp_path / "run"
    )
    assert status == 1
    assert not out
    assert "'lonely'" in err
    assert "24-bit.wav" in err
    assert not list((tmp_path / "run").iterdir())


def test_a_corpus_of_a_single_emotion(ser_keras: Any, recordings: Path, tmp_path: Path):
    rows = [(recordings / name, "a") for name in list(GOOD)[:8]]
    data = manifest(tmp_path / "own.csv", rows)
    words = ["train", "--corpus", "manifest", "--data", data, "--out", tmp_path / "run"]
    status, _, err = ser_keras(*words, "--set", "window=0.5")
    assert status == 1
    assert "classes" in err


@pytest.mark.parametrize(
    ("corpus", "content", "named"),
    [
        ("manifest", "path,emotion\n", "found only column names"),
        ("manifest", "", "found an empty file"),
        ("manifest", "file,label\na.wav,sad\n", "expected a column 'path'"),
        (
            "manifest",
            "path,emotion\nnowhere.wav,sad\n",
            "line 2, path: expected a sound file",
        ),
        ("ravdess", None, "Actor_"),
        ("iemocap", None, "EmoEvaluation"),
        ("emodb", None, "wav"),
        ("crema-d", None, "AudioWAV"),
        ("savee", None, "SAVEE"),
        ("tess", None, "TESS"),
    ],
)
def test_an_empty_corpus_says_what_was_looked_for(
    corpus: str, content: str | None, named: str, ser_keras: Any, tmp_path: Path
):
    data = tmp_path / "data"
    if content is None:
        data.mkdir()
    else:
        data.write_text(content)
    for command in ("train", "reproduce", "features"):
        out = tmp_path / command
        status, _, err = ser_keras(command, "--corpus", corpus, "--data", data, "--out", out)
        assert status == 1
        assert str(data) in err
        assert named.lower() in err.lower()
        assert not out.exists() or not [path for path in out.rglob("*") if path.is_file()]


def test_a_corpus_of_nothing_but_broken_recordings(
    ser_keras: Any, recordings: Path, tmp_path: Path
):
    names = ("empty.wav", "text.wav", "nan.wav", "picture.wav")
    rows = [(recordings / name, "ab"[number % 2]) for number, name in enumerate(names)]
    data = manifest(tmp_path / "own.csv", rows)
    status, _, err = ser_keras(
        "train", "--corpus", "manifest", "--data", data, "--out", tmp_path / "run",
        "--validation-fraction", 0,
    )  # fmt: skip
    assert status == 1
    assert "expected utterances that can be used, found none" in err
    assert "skipped" in err


def test_recordings_of_a_single_instant_are_evaluated(
    ser_keras: Any, trained_run: Path, tmp_path: Path
):
    """Nothing is predicted in them, so some numbers do not exist."""
    soundfile.write(tmp_path / "one.wav", noise(0.6, RATE), RATE)
    data = manifest(tmp_path / "own.csv", [("one.wav", "happy")])
    status, out, err = ser_keras(
        "evaluate", trained_run, "--corpus", "manifest", "--data", data, "--out", tmp_path
    )
    assert status == 0, err
    assert "nan" not in out
    assert "sampled after first         –" in out
    assert json.loads((tmp_path / "evaluation.json").read_text())["nll_per_instant"] is None
    assert (tmp_path / "report.html").exists()


@pytest.mark.parametrize("command", ["train", "reproduce", "features", "evaluate"])
def test_an_output_folder_that_cannot_be_written_to(
    command: str, ser_keras: Any, trained_run: Path, manifest: Path, tmp_path: Path
):
    in_the_way = tmp_path / "results"
    in_the_way.write_text("mine")
    first: list[Any] = ["evaluate", trained_run] if command == "evaluate" else [command]
    status, _, err = ser_keras(
        *first, "--corpus", "manifest", "--data", manifest, "--out", in_the_way / "run"
    )
    assert status == 1
    assert str(in_the_way / "run") in err
    assert "Not a directory" in err
    assert in_the_way.read_text() == "mine"


def test_a_full_disk_while_training(
    ser_keras: Any,
    manifest: Path,
    tiny_settings: dict[str, Any],
    small_disk: Path,
):
    (small_disk / "mine").write_text("kept")
    status, out, err = ser_keras(
        "train", "--corpus", "manifest", "--data", manifest, "--out", small_disk / "run",
        *tiny_words(tiny_settings),
    )  # fmt: skip
    assert status == 1
    assert not out
    assert str(small_disk / "run") in err
    assert "No space left on device" in err
    assert (small_disk / "mine").read_text() == "kept"
    assert not (small_disk / "run" / "model.keras").exists()


def test_a_full_disk_while_evaluating_keeps_the_run(
    ser_keras: Any, trained_run: Path, small_disk: Path
):
    (small_disk / "rest").write_bytes(bytes(48_000))
    before = {path: path.stat().st_mtime_ns for path in trained_run.iterdir()}
    status, _, err = ser_keras("evaluate", trained_run, "--out", small_disk)
    assert status == 1
    assert str(small_disk) in err
    assert "No space left on device" in err
    json.loads((small_disk / "evaluation.json").read_text())  # what fits is whole
    assert {path: path.stat().st_mtime_ns for path in trained_run.iterdir()} == before


@pytest.mark.usefixtures("without_plots")
def test_a_full_disk_for_the_cache_costs_the_cache_alone(
    ser_keras: Any,
    trained_run: Path,
    small_disk: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    synthetic_corpus: Corpus,
):
    (small_disk / "rest").write_bytes(bytes(65_536))
    monkeypatch.setenv("SER_KERAS_CACHE", str(small_disk))
    data = manifest(tmp_path / "own.csv", [(one.path, one.emotion) for one in synthetic_corpus[:4]])
    status, _, err = ser_keras(
        "evaluate", trained_run, "--corpus", "manifest", "--data", data, "--out", tmp_path / "out"
    )
    assert status == 0, err
    assert f"warning: features are not cached in {small_disk}" in err
    assert json.loads((tmp_path / "out" / "evaluation.json").read_text())["n_test"] == 4
