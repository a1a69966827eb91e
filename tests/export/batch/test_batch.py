"""`ser-keras batch`: the answers of `predict`, by Apache Beam, whatever else is among the files."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ser_keras import export
from ser_keras.commands import main as cli
from ser_keras.model.vrnn import VRNN
from ser_keras.recognition.decoded import LONGEST
from ser_keras.recognition.recognizer import Recognizer
from tests.answers import assert_alike
from tests.processes import descendants, runs

pytest.importorskip("apache_beam", reason="needs Apache Beam (the extra beam)")
parquet = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow")

# Beam's own, of what it imports and of files that it leaves to the garbage collector.
pytestmark = pytest.mark.filterwarnings("default")

BEAM = "apache_beam.runners.worker.sdk_worker_main"  # what a worker process runs

FILES, BROKEN = 40, (3, 17, 18, 39)


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty recordings of several lengths, rates, formats and channels; four cannot be used."""
    folder = tmp_path_factory.mktemp("sounds")
    draw = np.random.default_rng(0)
    for number in range(FILES):
        rate, seconds = (8000, 16000, 48000)[number % 3], 0.1 + draw.exponential(2.0)
        at = np.arange(round(seconds * rate)) / rate
        tone = 0.2 * np.sin(2 * np.pi * draw.uniform(100, 300) * at) * (1 + np.sin(9 * at))
        path = folder / f"{number:02d}.{('wav', 'flac', 'ogg')[number % 5 % 3]}"
        soundfile.write(path, np.stack([tone] * (1 + number % 2), axis=1), rate)
        if number in BROKEN:
            path.write_bytes((b"", b"no sound", path.read_bytes()[:60])[BROKEN.index(number) % 3])
    soundfile.write(folder / "two.wav", draw.normal(0, 0.1, (16000, 2)), 8000)
    return folder


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer(VRNN.from_preset("tiny"))


@pytest.fixture(scope="module")
def exported(recognizer: Recognizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model's versions."""
    return export.saved_model(recognizer.model, tmp_path_factory.mktemp("model") / "tiny").parent


Batch = Callable[..., dict[str, Any]]


@pytest.fixture
def batch(exported: Path, capfd: pytest.CaptureFixture[str]) -> Batch:
    def run(*words: str | Path, status: int = 0) -> dict[str, Any]:
        capfd.readouterr()
        found = cli.main(["batch", "--model", str(exported), *map(str, words)])
        out, err = capfd.readouterr()
        assert found == status, err
        return json.loads(out)

    return run


def lines(prefix: Path) -> list[dict[str, Any]]:
    """All lines of the shards of a prefix, by name."""
    shards = sorted(prefix.parent.glob(f"{prefix.name}-[0-9]*-of-*.jsonl"))
    found = [json.loads(line) for shard in shards for line in shard.read_text().splitlines()]
    return sorted(found, key=lambda line: (line["file"], line.get("channel", 0)))


def kill_a_worker(seen: list[int]) -> None:
    """Kill one of two worker processes, as a system short of memory does; tell both."""
    for _ in range(3000):
        time.sleep(0.1)
        if len(workers := sorted(descendants(os.getpid(), BEAM))) == 2:
            time.sleep(2.0)
            seen += workers
            os.kill(workers[0], signal.SIGKILL)
            return


def test_no_process_waits_for_what_it_may_not_need():
    """Four import the pipeline, one after the other, before the first recording is read."""
    heavy = "[name for name in ('tensorflow', 'scipy.signal') if name in sys.modules]"
    program = f"import sys, ser_keras.export.batch.pipeline; print({heavy})"
    ran = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert ran.stdout.strip() == "[]"


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_two_worker_processes_answer_as_predict_does_though_one_is_killed(
    exported: Path, sounds: Path, recognizer: Recognizer, tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
):  # fmt: skip
    out, seen = tmp_path / "new" / "answers", list[int]()
    threading.Thread(target=kill_a_worker, args=[seen], daemon=True).start()
    words = [*("batch", str(sounds / "[0-9]*"), "--model", str(exported), "--out", str(out))]
    words += ["--direct_running_mode", "multi_processing", "--direct_num_workers", "2"]
    assert cli.main(words) == 1
    captured = capfd.readouterr()
    assert "batch: a worker process was lost; attempt 2 of 3 begins" in captured.err
    counted = json.loads(captured.out)
    assert [Path(f"/proc/{worker}/cmdline").exists() for worker in seen] == [False, False]
    assert {path.name.partition("-")[0] for path in out.parent.iterdir()} == {"answers"}
    paths = sorted(str(path) for path in sounds.glob("[0-9]*"))
    expected = list(recognizer.recognize_files(paths, attention=False))
    good = [line for line in expected if "error" not in line]
    assert len(good) == FILES - len(BROKEN)
    assert_alike(lines(out), good)
    assert lines(out.with_name("answers-failed")) == [line for line in expected if "error" in line]
    assert counted["answered"] == len(good)
    assert counted["failed"] == len(BROKEN)
    assert counted["bytes_read"] == sum(Path(path).stat().st_size for path in paths)
    seconds = sum(line["duration"] for line in good)
    assert counted["milliseconds_of_sound"] == pytest.approx(1000 * seconds, abs=FILES)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_call_that_is_killed_leaves_no_process_and_no_file(
    exported: Path, sounds: Path, tmp_path: Path
):
    out = tmp_path / "new" / "answers"
    others = out.with_name(f"beam-temp-answers-2-{uuid.uuid1().hex}")
    others.mkdir(parents=True)
    words = ["batch", str(sounds / "[0-9]*"), "--model", str(exported), "--out", str(out)]
    words += ["--direct_running_mode", "multi_processing", "--direct_num_workers", "2"]
    environment = tmp_path / "an environment"
    environment.symlink_to(sys.prefix)
    python = environment / Path(sys.executable).relative_to(sys.prefix)
    deadline = time.monotonic() + 300
    with subprocess.Popen([python, "-m", "ser_keras", *words]) as call:
        while len(left := descendants(call.pid, BEAM)) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        while len(list(out.parent.iterdir())) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        call.kill()
    assert len(left) == 2
    while left and time.monotonic() < deadline:
        time.sleep(0.1)
        left = {worker for worker in left if runs(worker)}
    assert not left
    assert list(out.parent.iterdir()) == [others]  # that of a call with `--out answers-2`


def test_parquet_of_a_manifest_has_its_channels_and_segments(
    batch: Batch, sounds: Path, recognizer: Recognizer, tmp_path: Path
):
    manifest = sounds / "calls.csv"
    listed = [
        ["path", "channel", "start", "end", "note"],
        ["two.wav", "1", "", "", "other"],
        ["two.wav", "", "0.5", "1.75", ""],
        [str(sounds / "01.flac"), "", "", "", ""],
        ["missing.wav", "", "", "", ""],
        ["two.wav", "7", "", "", ""],
        ["two.wav", "", "later", "", ""],
        ["", "", "", "", ""],
    ]
    with manifest.open("w", newline="") as file:
        csv.writer(file).writerows(listed)
    out = tmp_path / "answers"
    batch(manifest, "--channel", "each", "--format", "parquet", "--out", out, status=1)
    (shard,) = tmp_path.glob("answers-0*.parquet")
    found = parquet.read_table(shard).to_pylist()
    two, one = str(sounds / "two.wav"), str(sounds / "01.flac")
    expected = [(two, 1, None), (two, 0, 0.5), (two, 1, 0.5), (one, 0, None), (one, 1, None)]
    rows = [(row["file"], row["channel"], row["start"]) for row in found]
    assert sorted(rows, key=str) == sorted(expected, key=str)
    (segment,) = (row for row in found if row["start"] and row["channel"] == 0)
    alone = recognizer.recognize(two, start=0.5, end=1.75, channel=0, attention=False)
    assert segment["end"] == 1.75
    assert_alike(segment["instants"], alone["instants"])
    for label, probability in alone["probabilities"].items():
        assert segment[f"probability_{label}"] == pytest.approx(probability, abs=1e-5)
    reasons = {line["file"]: line["error"] for line in lines(out.with_name("answers-failed"))}
    assert reasons[str(sounds / "missing.wav")].startswith("cannot be opened (")
    assert "channel" in reasons[two]
    failed = lines(out.with_name("answers-failed"))
    assert len(failed) == 4
    assert [line["error"] for line in failed if line["file"] == str(manifest)] == [
        "line 7, start: expected seconds, 0 or more, found 'later'",
        "line 8, path: expected text, found nothing",
    ]
    manifest.unlink()


def test_results_are_replaced_when_asked_for_alone(batch: Batch, sounds: Path, tmp_path: Path):
    out = tmp_path / "answers"
    batch(sounds / "00.*", sounds / "02.*", "--out", out, "--shards", "2")
    assert len(lines(out)) == 2
    with pytest.raises(AssertionError, match="--out: expected a prefix that no results have"):
        batch(sounds / "00.*", "--out", out)
    batch(sounds / "00.*", "--out", out, "--overwrite", "--shards", "1")
    assert len(lines(out)) == 1
    assert len(list(tmp_path.iterdir())) == 2  # the failed ones, none, have a file


def test_a_folder_and_names_that_look_like_globs(batch: Batch, sounds: Path, tmp_path: Path):
    folder = tmp_path / "in"
    (folder / "deeper").mkdir(parents=True)
    (first,) = sounds.glob("00.*")
    for name in ("[red]a.wav", "deeper/b.wav"):
        shutil.copy(first, folder / name)
    assert batch(folder, "--out", tmp_path / "a")["answered"] == 2
    assert batch(folder / "[red]a.wav", "--out", tmp_path / "b")["answered"] == 1


def test_a_long_recording_is_answered_block_by_block(
    batch: Batch, recognizer: Recognizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("ser_keras.export.batch.reading._MANY", 100_000)  # bytes
    folder, out = tmp_path / "in", tmp_path / "answers"
    folder.mkdir()
    noise = np.random.default_rng(0).normal(0, 0.1, (round((LONGEST + 3.3) * 8000), 2))
    soundfile.write(folder / "long.wav", noise, 8000)
    soundfile.write(folder / "short.wav", noise[:9000], 8000)
    content = (folder / "long.wav").read_bytes()
    (folder / "truncated.wav").write_bytes(content[: round(0.95 * len(content) - 100_000)])
    counted = batch(folder, "--channel", "1", "--out", out, status=1)
    expected = [
        recognizer.recognize(str(folder / name), channel=1, attention=False)
        for name in ("long.wav", "short.wav")
    ]
    assert_alike(lines(out), expected)
    (failed,) = lines(out.with_name("answers-failed"))
    assert failed["file"] == str(folder / "truncated.wav")
    assert failed["channel"] == 1
    assert failed["error"].startswith("truncated: ")
    assert counted["bytes_read"] == sum(path.stat().st_size for path in folder.iterdir())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere/*.wav", "--out", "a"], "INPUT: expected a file, a folder or a glob that"),
        (["--out", "tape://a"], "--out: Unable to get filesystem from specified path"),
        (["--out", "a", "--shards", "-1"], "--shards: expected 0 or more, found -1"),
        (["--out", "a", "--model", "nothing"], "nothing"),
        (
            ["--out", "a", "--model", "tiny", "--runner", "FlinkRunner"],
            "--model: expected an exported SavedModel that all workers can read",
        ),
    ],
)
def test_what_cannot_work_is_said_at_once(
    words: list[str],
    message: str,
    sounds: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(tmp_path)
    given = [] if words[0].startswith("nowhere") else [str(sounds)]
    assert cli.main(["batch", *given, *words]) == 1
    assert message in capsys.readouterr().err


def test_an_option_that_beam_does_not_have_is_an_error_of_usage(
    capsys: pytest.CaptureFixture[str],
):
    with pytest.raises(SystemExit) as exit_:
        cli.main(["batch", "a.wav", "--out", "a", "--direct_number_of_workers", "2"])
    assert exit_.value.code == 2
    assert "unrecognized arguments: --direct_number_of_workers" in capsys.readouterr().err
    with pytest.raises(SystemExit) as exit_:
        cli.main(["batch", "a.wav", "--out", "a", "--direct_running_mode", "sideways"])
    assert exit_.value.code == 2
    assert "invalid choice: 'sideways'" in capsys.readouterr().err


def test_without_beam_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setitem(sys.modules, "apache_beam.options.pipeline_options", None)
    assert cli.main(["batch", "a.wav", "--out", "a"]) == 1
    assert "pip install 'ser-keras[beam]'" in capsys.readouterr().err
