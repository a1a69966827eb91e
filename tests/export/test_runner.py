"""The runner that edge developers copy answers as the Keras model, with little else installed."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ser_keras import export
from ser_keras.export import runner as copied
from ser_keras.export.runner import Runner
from ser_keras.model.vrnn import VRNN
from ser_keras.recognition.recognizer import Recognizer
from ser_keras.sound import decoding, formats
from ser_keras.sound.level import SILENT_LEVEL

Instants = list[dict[str, Any]]


@pytest.fixture(scope="module")
def file(model: VRNN, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export.tflite(model, tmp_path_factory.mktemp("edge") / "model.tflite")


@pytest.fixture(scope="module")
def runner(file: Path) -> Runner:
    return Runner(file)


@pytest.fixture(scope="module")
def sound(model: VRNN, speech: list[Path]) -> np.ndarray:
    """Synthetic speech, some ten instants of it."""
    return np.concatenate([decoding.load(path, model.features.sample_rate) for path in speech])


@pytest.fixture(scope="module")
def expected(model: VRNN, sound: np.ndarray) -> Instants:
    return Recognizer(model).recognize_samples(sound)["instants"]


def recognize(runner: Runner, samples: np.ndarray, size: int) -> Instants:
    runner.reset()
    chunks = (samples[start : start + size] for start in range(0, len(samples), size))
    return [*(i for chunk in chunks for i in runner.push(chunk)), *runner.finish()]


def assert_same(found: Instants, expected: Instants) -> None:
    assert [i["time"] for i in found] == [i["time"] for i in expected]
    for mine, keras in zip(found, expected, strict=True):
        assert mine["emotion"] == keras["emotion"]
        assert mine["attention"] == keras["attention"]
        assert mine["probabilities"] == pytest.approx(keras["probabilities"], abs=1e-5)


@pytest.mark.parametrize("size", [1, 777, 22_050, 10_000_000])
def test_chunks_of_any_size_give_what_the_model_gives(
    runner: Runner, sound: np.ndarray, expected: Instants, size: int
):
    if size == 1:  # Python needs a while for each
        sound, expected = sound[:70_000], expected[:2]
    assert len(expected) > 1
    assert_same(recognize(runner, sound, size), expected)


def test_a_recording_shorter_than_a_window_is_padded(
    runner: Runner, model: VRNN, sound: np.ndarray
):
    assert_same(
        recognize(runner, sound[:9000], 4096),
        Recognizer(model).recognize_samples(sound[:9000])["instants"],
    )
    runner.reset()
    assert list(runner.finish()) == []


def test_the_silence_behind_a_recording_is_answered(
    patch_model: VRNN, sound: np.ndarray, tmp_path: Path
):
    runner = Runner(export.tflite(patch_model, tmp_path / "silence.tflite"))
    for length in (70_000, 9000, 2000):
        expected = Recognizer(patch_model).recognize_samples(sound[:length])["instants"]
        found = recognize(runner, sound[:length], 4096)
        assert [i["time"] for i in found] == [i["time"] for i in expected]
        for mine, keras in zip(found, expected, strict=True):
            assert mine["probabilities"] == pytest.approx(keras["probabilities"], abs=1e-3)
    runner.reset()
    assert list(runner.finish()) == []


def test_ten_minutes_at_once_and_windows_that_lie_apart(patch_model: VRNN, tmp_path: Path):
    """Log-mel patches, for which the runner needs no other code."""
    spec_settings: dict[str, Any] = {"hop": 2.6, "mel_bands": 16, "trailing_silence": 0.0}
    spec_settings |= {"carry_over": False, "end_frames": 0}
    model = VRNN.from_preset(patch_model.preset, patch_model.classes, seed=0, **spec_settings)
    spec = model.features
    assert spec.hop_length > spec.window_length
    level = np.sin(np.arange(600 * spec.sample_rate) / spec.sample_rate)
    noise = np.random.default_rng(0).normal(0, 0.1, len(level))
    samples = (level * noise).astype(np.float32)
    runner = Runner(export.tflite(model, tmp_path / "apart.tflite"))
    found = recognize(runner, samples, len(samples))
    expected = Recognizer(model).recognize_samples(samples)["instants"]
    assert len(found) == len(expected) == 231
    for mine, keras in zip(found, expected, strict=True):
        assert mine["time"] == keras["time"]
        assert mine["probabilities"] == pytest.approx(keras["probabilities"], abs=1e-4)
    assert recognize(runner, samples[:200_000], 999) == found[:5]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.array([0.0, np.nan], np.float32), "samples: expected finite numbers"),
        (np.array([-np.inf], np.float32), "samples: expected finite numbers"),
        (np.array([1e20], np.float32), "times full scale, found 1e"),
        (np.zeros((2, 2), np.float32), r"expected one dimension, found shape \(2, 2\)"),
    ],
)
def test_a_bad_chunk_is_refused_and_changes_nothing(
    runner: Runner, sound: np.ndarray, expected: Instants, bad: np.ndarray, message: str
):
    runner.reset()
    instants = list(runner.push(sound[:50_000]))
    with pytest.raises(ValueError, match=message):
        runner.push(bad)
    instants += runner.push(sound[50_000:])
    assert_same(instants, expected)


def test_silence_and_clipping_are_answered(runner: Runner, sound: np.ndarray):
    for samples in (np.zeros(100_000, np.float32), np.sign(sound)[:100_000]):
        for instant in recognize(runner, samples, 4096):
            assert sum(instant["probabilities"].values()) == pytest.approx(1.0, abs=1e-5)


# As a program


@pytest.fixture(scope="module")
def copy(file: Path, bare_packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the runner and a model, and `packages/` with all that may be imported."""
    folder = tmp_path_factory.mktemp("copy")
    (folder / "packages").symlink_to(bare_packages)
    for source in (Path(copied.__file__), file, file.with_suffix(".json")):
        shutil.copy(source, folder)
    return folder


def command(*words: str | Path) -> list[str]:
    # -S: without site-packages.
    return [sys.executable, "-S", "runner.py", *map(str, words)]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": "packages"}


def run(
    folder: Path, *words: str | Path, content: bytes | None = None
) -> tuple[int, str, list[str]]:
    """Exit status, standard output, and what the runner itself wrote to standard error."""
    done = subprocess.run(
        command(*words), cwd=folder, env=environment(), input=content, capture_output=True,
        check=False,
    )  # fmt: skip
    return done.returncode, done.stdout.decode(), told(done.stderr.decode())


def told(errors: str) -> list[str]:
    assert "Traceback" not in errors
    return [line for line in errors.splitlines() if not line.startswith("INFO: ")]


def instants(out: str) -> Iterator[dict[str, Any]]:
    return (json.loads(line) for line in out.splitlines())


def write(path: Path, samples: np.ndarray, rate: int, subtype: str = "PCM_16") -> Path:
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


def test_the_copy_can_import_numpy_and_the_runtime_alone(copy: Path):
    program = "import numpy, ai_edge_litert.interpreter, importlib.util as u\n"
    program += (
        "print([n for n in ('tensorflow', 'keras', 'librosa', 'ser_keras') if u.find_spec(n)])"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", program], cwd=copy, env=environment(),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "[]\n"


def test_emotions_are_printed_as_they_are_called(
    file: Path, copy: Path, sound: np.ndarray, model: VRNN, monkeypatch: pytest.MonkeyPatch
):
    shutil.copy(file, copy / "names.tflite")
    description = json.loads(file.with_suffix(".json").read_text("utf-8"))
    names = [f"{label} 喜び" for label in description["labels"]]
    text = json.dumps({**description, "labels": names})
    (copy / "names.json").write_text(text, "utf-8")
    path = write(copy / "names.wav", sound[:70_000], model.features.sample_rate)
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    status, out, _ = run(copy, "names.tflite", path)
    assert status == 0
    for line in out.splitlines():
        assert "\\" not in line
        assert list(json.loads(line)["probabilities"]) == names


# The array for the answers is allocated at the beginning, so that only the runner can grow.
REPEAT = """
import json, os, sys
import numpy as np
from runner import Runner

def recognize():
    runner.reset()
    return [*runner.push(phrase), *runner.finish()]

def memory():
    with open("/proc/self/statm") as statistics:
        return int(statistics.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

runner, phrase = Runner("model.tflite"), np.load(sys.argv[1])
first = recognize()
rounds = np.full((1000, 2, len(runner.labels)), np.nan)
for repetition in range(1000):
    answers = list(runner.push(phrase))
    if repetition == 100:
        begin = memory()
    rounds[repetition] = [list(answer["probabilities"].values()) for answer in answers]
grown = memory() - begin
np.save(sys.argv[2], rounds)
print(json.dumps({"grown": grown, "again": recognize() == first}))
"""


@pytest.mark.usefixtures("memory")  # skips where there is no /proc
def test_a_thousand_repetitions_change_neither_memory_nor_answers(
    copy: Path, runner: Runner, sound: np.ndarray, tmp_path: Path
):
    """As `benchmarks/edge` does for a day. The phrase is as long as a whole number of hops.

    In a process of its own: in this one, what other tests leave behind comes and goes as well.
    """
    np.save(tmp_path / "phrase.npy", sound[: 2 * runner.sample_rate])
    done = subprocess.run(
        [sys.executable, "-S", "-c", REPEAT, tmp_path / "phrase.npy", tmp_path / "rounds.npy"],
        cwd=copy, env=environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    result = json.loads(done.stdout)
    assert result["grown"] < 1_000_000
    assert result["again"]
    rounds = np.load(tmp_path / "rounds.npy")
    assert np.isfinite(rounds).all()
    np.testing.assert_allclose(rounds[-1], rounds[100], atol=1e-6)


def test_a_file_and_a_pipe_are_answered_as_by_the_model(
    copy: Path, model: VRNN, sound: np.ndarray, tmp_path: Path
):
    rate = model.features.sample_rate
    path = write(tmp_path / "sound.wav", np.stack([sound, sound], axis=1), rate)
    # As they are after 16 bits.
    expected = Recognizer(model).recognize(path)["instants"]
    status, out, errors = run(copy, "model.tflite", path)
    assert (status, errors) == (0, [])
    assert_same(list(instants(out)), expected)
    samples, _ = soundfile.read(path, dtype="int16")
    content = samples[:, 0].astype("<i2").tobytes()
    status, out, errors = run(copy, "model.tflite", "-", content=content + b"\0")  # half a sample
    assert (status, errors) == (0, [])
    assert_same(list(instants(out)), expected)


@pytest.mark.parametrize("words", [[], ["model.tflite"], ["model.tflite", "a.wav", "b.wav"]])
def test_wrong_usage_exits_with_2(copy: Path, words: list[str]):
    assert run(copy, *words) == (2, "", ["usage: python runner.py MODEL.tflite FILE.wav|-"])


@pytest.mark.parametrize(
    ("rate", "subtype", "message"),
    [
        (16_000, "PCM_16", "expected 22050 Hz, found 16000 Hz"),
        (22_050, "PCM_24", "expected 16 bits, found 24"),
        (22_050, "FLOAT", "expected a WAV of integers"),
    ],
)
def test_sound_of_another_kind_is_refused(
    copy: Path, tmp_path: Path, rate: int, subtype: str, message: str
):
    path = write(tmp_path / "sound.wav", np.zeros(50_000), rate, subtype)
    status, out, (error,) = run(copy, "model.tflite", path)
    assert (status, out) == (1, "")
    assert error.startswith(f"runner.py: {path}: {message}")


@pytest.mark.parametrize(
    ("form", "subtype", "found"),
    [
        ("FLAC", None, "FLAC"),
        ("OGG", "VORBIS", "Ogg"),
        ("MP3", None, "MP3"),
        ("AIFF", None, "AIFF"),
        ("RF64", None, "RF64"),
        ("W64", None, "W64"),
        ("CAF", None, "CAF"),
        ("AU", None, "AU"),
        ("WAV", "GSM610", "coding 49"),
        ("WAV", "ULAW", "coding 7"),
    ],
)
def test_other_formats_are_refused_by_name(
    copy: Path, tmp_path: Path, form: str, subtype: str | None, found: str
):
    path = tmp_path / "sound.wav"
    soundfile.write(path, np.ones(50_000) / 4, 22_050, format=form, subtype=subtype)
    for words, content in ((path, None), ("-", path.read_bytes())):
        status, out, (error,) = run(copy, "model.tflite", words, content=content)
        assert (status, out) == (1, "")
        assert f"expected a WAV of integers, found {found}" in error


@pytest.mark.parametrize(
    "beginning",
    [
        b"\x00\x00\x00\x20ftypM4A \x00\x00", b"#!AMR\n\x3c", b"\x1aE\xdf\xa3\x9f",
        b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", b"ID3\x04\x00", b"FORM\x00\x00\x00\x00AIFC",
        b"\xff\xf1\x50\x80\x01\x1f\xfc" + bytes(1), b"RIFF\x00\x00\x00\x00AVIX",
        b"no such file or directory", b"\xff\xfb\x90\xc0" + bytes(413),
        bytes(40), b"\xff\xff" * 20, b"\xff\xfb\x90\xc0" + bytes(500),
    ],
)  # fmt: skip
def test_formats_are_recognised_as_by_the_package(beginning: bytes):
    own, others = copied._identify(beginning), formats.identify(beginning)
    assert (own is None) == (others is None)
    if own is not None and others is not None:
        assert others.name.startswith(own)


def test_a_pipe_may_hold_a_wav(copy: Path, model: VRNN, sound: np.ndarray, tmp_path: Path):
    path = write(tmp_path / "sound.wav", sound, model.features.sample_rate)
    content = path.read_bytes()
    expected = Recognizer(model).recognize(path)["instants"]
    note = b"LIST" + (9).to_bytes(4, "little") + b"an odd one"
    content = content[:12] + note + content[12:]
    status, out, errors = run(copy, "model.tflite", "-", content=content)
    assert (status, errors) == (0, [])
    assert_same(list(instants(out)), expected)
    status, out, (error,) = run(copy, "model.tflite", "-", content=content[:-100])
    assert status == 1
    assert "standard input: truncated: expected" in error


@pytest.mark.parametrize("length", [bytes(4), b"\xff" * 4])
def test_a_wav_of_a_recorder_that_crashed_is_read_to_its_end(
    copy: Path, model: VRNN, sound: np.ndarray, tmp_path: Path, length: bytes
):
    path = write(tmp_path / "sound.wav", sound, model.features.sample_rate)
    expected = Recognizer(model).recognize(path)["instants"]
    content = path.read_bytes()
    path.write_bytes(content[:4] + length + content[8:40] + length + content[44:])
    for words, piped in ((path, None), ("-", path.read_bytes())):
        status, out, (warning,) = run(copy, "model.tflite", words, content=piped)
        assert status == 0
        assert "the header does not say how long the sound is" in warning
        assert_same(list(instants(out)), expected)
    status, out, (error,) = run(copy, "model.tflite", "-", content=content[:40] + length)
    assert (status, out) == (1, "")
    assert "standard input: expected sound, found no samples" in error


def test_silence_is_flagged_at_the_level_of_the_description(
    runner: Runner, model: VRNN, file: Path
):
    description = json.loads(file.with_suffix(".json").read_text())
    assert description["silent_level"] == SILENT_LEVEL == copied._SILENT_LEVEL
    random, length = np.random.default_rng(0), model.features.window_length
    for sound, silent in (
        (np.zeros(length), True),
        (np.full(length, 0.25), True),
        (random.normal(0, 1e-4, length), True),
        (random.normal(0, 1e-3, length), False),
    ):
        assert [i["silent"] for i in recognize(runner, sound, 4096)] == [silent]
        assert Recognizer(model).recognize_samples(sound)["silent"] is silent


def test_files_that_are_missing_or_of_another_kind_are_named(
    copy: Path, tmp_path: Path, file: Path
):
    status, out, (error,) = run(copy, "model.tflite", "nowhere.wav")
    assert (status, out) == (1, "")
    assert "nowhere.wav" in error
    alone = Path(shutil.copy(file, tmp_path / "alone.tflite"))
    assert "alone.json" in run(copy, alone, "sound.wav")[2][0]
    for text in ("no JSON", "[]", "{}"):
        alone.with_suffix(".json").write_text(text)
        assert "alone.json: expected a model's description" in run(copy, alone, "a.wav")[2][0]
    shutil.copy(file.with_suffix(".json"), alone.with_suffix(".json"))
    alone.write_bytes(b"no model at all")
    status, out, errors = run(copy, alone, "sound.wav")
    assert (status, out) == (1, "")
    assert errors[-1].startswith("runner.py: ")


@contextmanager
def streaming(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A runner that waits for sound, ended whatever happens."""
    process = subprocess.Popen(
        command("model.tflite", "-"),
        cwd=folder,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A shell starts what runs in the background deaf to Ctrl-C, and children inherit that.
        preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    try:
        yield process
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()  # type: ignore[union-attr]


def write_silence(process: subprocess.Popen[bytes], samples: int) -> None:
    """Write so many samples of silence to its standard input."""
    assert process.stdin is not None
    process.stdin.write(bytes(2 * samples))
    process.stdin.flush()


def test_a_pipe_is_answered_as_soon_as_a_window_is_full(copy: Path):
    with streaming(copy) as process:
        assert process.stdout is not None
        write_silence(process, 2 * 22_050)
        assert json.loads(process.stdout.readline())["time"] == 2.0
        write_silence(process, 22_050)
        assert json.loads(process.stdout.readline())["time"] == 3.0


def test_a_reader_that_goes_away_ends_it_quietly(copy: Path):
    with streaming(copy) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        write_silence(process, 2 * 22_050)
        assert process.stdout.readline()
        process.stdout.close()
        write_silence(process, 22_050)
        errors = process.stderr.read().decode()
        assert process.wait() == 1
    assert told(errors) == []


def test_ctrl_c_ends_a_stream(copy: Path):
    with streaming(copy) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        write_silence(process, 2 * 22_050)
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        errors = process.stderr.read().decode()
        assert process.wait() == 0
    assert told(errors) == ["runner.py: stopped"]
