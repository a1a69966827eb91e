"""Kills at random instants: does every command that goes on end with the files of a quiet run?

    python -m benchmarks.kills --kills 20 --out kills.md

Each of `features`, `train`, `reproduce`, `tune` and `export` runs once without a disturbance. Then,
for every kill, it runs in a folder of its own, is sent SIGKILL at an instant drawn evenly over the
time that a quiet run took, and is called again until it ends. All files are compared with the
quiet run's, but for what cannot be the same twice: durations, the time at which Keras saved a
model, the numbers that TensorFlow counts functions by, and TensorBoard's logs. A second quiet run
is compared as well: without a kill, too, the files must be the same.

The corpus is synthetic and small. Backups are made every half second instead of every ten, so that
a short training has some.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import multiprocessing
import multiprocessing.process
import os
import re
import signal
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tensorflow.core.protobuf import saved_model_pb2

import ser_keras as ser
from ser_keras.commands.main import main
from ser_keras.files import output_folder, write_csv, write_text
from ser_keras.training import checkpoint

# Starts processes that have imported what takes seconds, lest most kills come before any work.
_PROCESSES = multiprocessing.get_context("forkserver")
_PRELOADED = [
    "ser_keras.export.saving",
    "ser_keras.training.shards",
    "ser_keras.evaluation.reproduction",
    "ser_keras.tuning.run",
]

_TIMES_OF = {"seconds", "date_saved"}
_SECONDS_ROW = r"seconds</th>\s*<td>\s*[\d.,]+\s*</td>"
_SIZES = ("recognition_units=8", "generation_units=8", "classification_units=8", "batch_size=8")
_SMALL = [word for size in _SIZES for word in ("--set", size)]


def commands(manifest: Path, space: Path) -> dict[str, list[str]]:
    """Return the words of each command, without its folder."""
    corpus = ["--corpus", "manifest", "--data", str(manifest)]
    return {
        "features": ["features", *corpus, "--shard-size", "4", "--workers", "1"],
        "train": ["train", *corpus, *_SMALL, "--epochs", "12"],
        "reproduce": ["reproduce", *corpus, *_SMALL, "--epochs", "4", "--seeds", "1"],
        "tune": [
            *("tune", *corpus, *_SMALL, "--epochs", "4", "--every", "2", "--folds", "2"),
            *("--budget", "3", "--space", str(space), "--no-prune"),
        ],
        "export": ["export", "tiny", "--to", "saved-model"],
    }


class Trials:
    """Runs of one command, each in a folder of its own below `folder`."""

    def __init__(self, name: str, words: list[str], folder: Path) -> None:
        self.name, self.words, self.folder = name, words, folder
        self.expected = self._to_the_end("quiet")
        self.took = 0.0  # by the second quiet run: the first waits for what is preloaded

    def again(self) -> dict[str, str]:
        """Run without a disturbance, and return what differs, by file."""
        began = time.monotonic()
        found = self._to_the_end("again")
        self.took = time.monotonic() - began
        return self._differences(found)

    def killed(self, number: int, after: float) -> tuple[bool, dict[str, str]]:
        """Kill a run and let it go on; return whether it ran, and what differs, by file."""
        run = f"killed-{number:02d}"
        process = self._started(run)
        process.join(after)
        process.kill()
        process.join()
        return process.exitcode == -signal.SIGKILL, self._differences(self._to_the_end(run))

    def _started(self, run: str) -> multiprocessing.process.BaseProcess:
        output_folder(self.folder / run)
        words = [*self.words, "--out", "vrnn/1" if self.name == "export" else "."]
        process = _PROCESSES.Process(target=_call, args=(words, self.folder / run))
        process.start()
        return process

    def _to_the_end(self, run: str) -> dict[str, str]:
        folder = self.folder / run
        # The same command would refuse a version that is there, and it is there when it is whole.
        if not (folder / "vrnn" / "1").exists():
            process = self._started(run)
            process.join()
            if process.exitcode:
                sys.exit(f"{self.name}: {_log_of(folder).read_text()}")
        return contents(folder)

    def _differences(self, found: dict[str, str]) -> dict[str, str]:
        return {
            name: "missing"
            if name not in found
            else "new"
            if name not in self.expected
            else "other"
            for name in sorted({*found, *self.expected})
            if found.get(name) != self.expected.get(name)
        }


def _call(words: list[str], folder: Path) -> None:
    """Be `ser-keras` in a folder, but for the time between backups."""
    os.chdir(folder)
    # Of its own for each run, or the second would find the features of the first.
    os.environ["SER_KERAS_CACHE"] = f"{folder}-cache"
    with _log_of(folder).open("ab") as log:
        for stream in (1, 2):
            os.dup2(log.fileno(), stream)
    checkpoint.BACKUP_EVERY = 0.5
    sys.exit(main(words))


def _log_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.log")


def contents(folder: Path) -> dict[str, str]:
    """Return a hash of every file, of what is the same in every run of a command."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(_comparable(path)).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "tensorboard" not in path.parts and path.name != "fingerprint.pb"
    }


def _comparable(path: Path) -> bytes:
    readers: dict[str, Callable[[Path], bytes]] = {
        ".keras": _archive,
        ".json": lambda path: _without_times(path.read_text()),
        ".csv": lambda path: _without_seconds(path.read_text()),
        ".html": lambda path: re.sub(_SECONDS_ROW, "", path.read_text()).encode(),
        ".pb": _graph,
    }
    return readers.get(path.suffix, Path.read_bytes)(path)


def _graph(path: Path) -> bytes:
    """Return a SavedModel's functions without the numbers that TensorFlow counts them by."""
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    functions = saved.meta_graphs[0].graph_def.library.function
    return "".join(sorted(re.sub(r'(_|s: ")\d+', r"\1", str(each)) for each in functions)).encode()


def _archive(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in sorted(archive.namelist())}
    members["metadata.json"] = _without_times(members["metadata.json"].decode())
    return b"".join(name.encode() + content for name, content in members.items())


def _without_times(text: str) -> bytes:
    def without(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: without(item) for key, item in value.items() if key not in _TIMES_OF}
        return [without(item) for item in value] if isinstance(value, list) else value

    return json.dumps(without(json.loads(text))).encode()


def _without_seconds(text: str) -> bytes:
    """Leave out the last column of a table if it is of durations."""
    lines = text.splitlines()
    timed = lines and lines[0].endswith(",seconds")
    return "\n".join(line.rpartition(",")[0] if timed else line for line in lines).encode()


def measure_all() -> None:
    """Run all of it, and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", metavar="COMMAND")
    parser.add_argument("--out", type=Path, metavar="FILE", help="for the table")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="for all the runs' files")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        measure(folder.absolute(), options)


def measure(folder: Path, options: argparse.Namespace) -> None:
    """Run every command, and write the table after each."""
    corpus = ser.corpora.load("synthetic", folder, speakers=2, takes=2)
    manifest = folder / "manifest.csv"
    write_csv(
        manifest,
        [{"path": each.path, "emotion": each.emotion, "speaker": each.speaker} for each in corpus],
    )
    space = folder / "space.toml"
    write_text(space, "recognition_dropout = { low = 0.0, high = 0.5, step = 0.1 }\n")
    table = ["| command | quiet run | killed while running | same files |", "|---|---|---|---|"]
    for name, words in commands(manifest, space).items():
        if options.only and name not in options.only:
            continue
        trials = Trials(name, words, folder / name)
        if differences := trials.again():
            print(f"{name}: two quiet runs differ: {differences}", file=sys.stderr, flush=True)
        instants = np.random.default_rng([options.seed, len(table)])
        killed = same = 0
        for number in range(1, options.kills + 1):
            after = instants.uniform(0.0, trials.took)
            was_killed, differences = trials.killed(number, after)
            killed += was_killed
            same += not differences
            outcome = differences or "the same files"
            print(
                f"{name}: kill {number} after {after:.1f} s: {outcome}", file=sys.stderr, flush=True
            )
        took = f"{trials.took:.0f} s, {len(trials.expected)} files"
        table.append(f"| `{name}` | {took} | {killed} of {options.kills} | {same} |")
        if options.out:
            write_text(options.out, "\n".join(table) + "\n")
    print("\n".join(table))


if __name__ == "__main__":
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # before TensorFlow is imported
    _PROCESSES.set_forkserver_preload(_PRELOADED)
    measure_all()
