"""Two workers of one core each against one worker of one core: the same search, wall-clock time.

    python -m benchmarks.tuning.workers --out workers.json

Each search is the command itself, `ser-keras tune` as a chief and workers on loopback, on the
synthetic corpus or another. Chief and first worker are held to the first core, the second worker to
the second; the chief waits nearly all the time. The time is measured from the beginning of the
first trial to the end of the last: starting TensorFlow takes every process some seconds, which a
longer search would not notice. The time with it is reported as well.

Measure on a machine with two cores and nothing else to do.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SPACE = """
recognition_units = { values = [64, 128, 256] }
generation_units = { values = [64, 128] }
recognition_dropout = { low = 0.0, high = 0.5, step = 0.1 }
"""
GOAL = 0.6  # of one worker's time


def main() -> None:
    options = _options()
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        sys.exit("needs two cores")
    found: dict[str, Any] = {"cores": cores, "load_before": os.getloadavg()[0], "rounds": []}
    for _ in range(options.rounds):
        took = {}
        for count in (1, 2):
            with tempfile.TemporaryDirectory() as folder:
                took[str(count)] = search(options, count, cores, Path(folder))
            print(f"{count} workers: {took[str(count)]}", file=sys.stderr)
        ratio = took["2"]["trials"] / took["1"]["trials"]
        found["rounds"].append({**took, "ratio": ratio})
    found["ratio"] = sorted(each["ratio"] for each in found["rounds"])[options.rounds // 2]
    found["goal"] = GOAL
    text = json.dumps(found, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


def search(
    options: argparse.Namespace, workers: int, cores: list[int], folder: Path
) -> dict[str, float]:
    """Run a search; return the seconds of its trials, and with the start of all processes."""
    (folder / "space.toml").write_text(SPACE, encoding="utf-8")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    words = ["--corpus", options.corpus, "--space", str(folder / "space.toml"), "--folds", "2"]
    words += ["--epochs", str(options.epochs), "--patience", "1000", "--no-prune"]
    words += ["--budget", str(options.budget), "--address", address]
    if options.data:
        words += ["--data", str(options.data)]
    began = time.monotonic()
    chief = _start([*words, "--role", "chief", "--out", str(folder / "search")], cores[0])
    running = [_start([*words, "--role", "worker"], cores[index]) for index in range(workers)]
    first: float | None = None
    last = began
    assert chief.stderr is not None
    told = []
    for line in chief.stderr:
        told.append(line)
        if line.startswith("tune: trial"):
            last = time.monotonic()
            first = last if first is None else first
    if chief.wait() or any(worker.wait() for worker in running) or first is None:
        sys.exit("".join(told))
    with (folder / "search" / "trials.csv").open(newline="") as file:
        ended = [row for row in csv.DictReader(file) if row["status"] == "completed"]
    if len(ended) != options.budget:
        sys.exit(f"{len(ended)} of {options.budget} trials ended")
    return {"trials": last - first, "everything": time.monotonic() - began}


def _start(words: list[str], core: int) -> subprocess.Popen[str]:
    # TensorFlow starts as many threads as taskset leaves it cores.
    command = [
        "taskset",
        "--cpu-list",
        str(core),
        sys.executable,
        "-m",
        "ser_keras",
        "tune",
    ]
    role = words[words.index("--role") + 1]
    return subprocess.Popen(
        [*command, *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE if role == "chief" else subprocess.DEVNULL,
        text=True,
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", default="synthetic")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--budget", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
