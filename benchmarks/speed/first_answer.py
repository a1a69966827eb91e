"""Seconds up to a first answer: `ser-keras predict` beside `import tensorflow` alone.

    python -m benchmarks.speed.first_answer [--repeats N] [--out first_answer.json]

Processes of their own take turns. Of each, the fastest run counts, in seconds of the clock and of
the processors; the first, which fills the disk's cache, does not.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

SECONDS = 4.0
PREDICT = ["-m", "ser_keras", "predict", "--json"]
WAYS = {
    "import tensorflow": ["-c", "import tensorflow"],
    "first answer, tiny": [*PREDICT, "--model", "tiny"],
    "first answer, convolutional": [*PREDICT, "--model", "convolutional"],
}


def measure(words: list[str]) -> tuple[float, float]:
    """Run Python once; return the seconds of the clock and of the processors."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, *words], capture_output=True, check=True)
    clock, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return clock, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", default="first_answer.json", help="where the results go")
    arguments = parser.parse_args()
    runs: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        sound = Path(folder) / "hello.wav"
        noise = np.random.default_rng(0).normal(0, 0.1, round(SECONDS * 16_000))
        soundfile.write(sound, noise, 16_000)
        for repeat in range(arguments.repeats + 1):
            for way, words in WAYS.items():
                run = measure([*words, str(sound)] if "predict" in words else words)
                if repeat:
                    runs[way].append(run)
    report(runs, Path(arguments.out))


def report(runs: dict[str, list[tuple[float, float]]], out: Path) -> None:
    """Print the table and write the JSON."""
    clock = {way: min(run[0] for run in found) for way, found in runs.items()}
    cpu = {way: min(run[1] for run in found) for way, found in runs.items()}
    alone = next(iter(WAYS))
    print(f"{'':<30}{'clock, s':>10}{'more':>8}{'CPU, s':>10}{'more':>8}")
    for way in WAYS:
        more = f"{clock[way] - clock[alone]:>8.2f}", f"{cpu[way] - cpu[alone]:>8.2f}"
        print(f"{way:<30}{clock[way]:>10.2f}{more[0]}{cpu[way]:>10.2f}{more[1]}")
    results = {"cores": os.cpu_count(), "clock": clock, "cpu": cpu, "runs": runs}
    out.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
