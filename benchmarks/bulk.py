"""Recognition of many files beside direct calls of the exported model with the same bytes.

    python -m benchmarks.bulk --model tiny --recordings 2000 --out OUT

makes up WAV files, half of 22.05 and half of 48 kHz. In turns, they are recognized as
`ser-keras predict --out` does it, from files to lines of JSON; their bytes, read before, are given
to the SavedModel's `serving_default` in batches of 32, in one thread, and to one file at a time.
Left in OUT: `bulk.json` and `bulk.md`. Measure on a machine with nothing else to do.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
import tensorflow as tf

from benchmarks.outcome import leave
from ser_keras import export, provenance
from ser_keras.commands.answers import output
from ser_keras.commands.predict import BATCH_SIZE
from ser_keras.corpora import synthetic
from ser_keras.model import files as model_files
from ser_keras.recognition.recognizer import Recognizer

RATES = 22050, 48000
ONE_BY_ONE = 50  # files that are enough to time one at a time
TURNS = 3


def make(folder: Path, count: int) -> list[Path]:
    """Write so many recordings of speech-like sound, of all `RATES` in turn."""
    spoken = [soundfile.read(one.path, dtype="float32") for one in synthetic.load(None)]
    random = np.random.default_rng(0)
    paths = []
    for number in range(count):
        samples, given = spoken[number % len(spoken)]
        rate = RATES[number % len(RATES)]
        cut = samples[: round(random.uniform(0.6, 1.0) * len(samples))]
        paths.append(folder / f"{number:06d}.wav")
        soundfile.write(paths[-1], soxr.resample(cut, given, rate), rate, subtype="PCM_16")
    return paths


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure(name: str, count: int) -> dict[str, Any]:
    """Time all three in turns; return the content of `bulk.json`."""
    model = model_files.load(name)
    recognizer = Recognizer(model)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        version = export.saved_model(model, root / "exported")
        served = tf.saved_model.load(str(version)).signatures["serving_default"]
        paths = [str(path) for path in make(root, count)]
        contents = [Path(path).read_bytes() for path in paths]

        def lines(files: Sequence[str], batch_size: int | None) -> None:
            (root / "lines.jsonl").unlink(missing_ok=True)
            with output(root / "lines.jsonl", files, "json") as show:
                for line in recognizer.recognize_files(files, False, None, batch_size):
                    show(line)

        def direct() -> None:
            for first in range(0, count, BATCH_SIZE):
                served(audio=tf.constant(contents[first : first + BATCH_SIZE]))

        few = paths[:ONE_BY_ONE]
        ways: dict[str, tuple[int, Callable[[], object]]] = {
            "direct": (count, direct),
            "files": (count, lambda: lines(paths, BATCH_SIZE)),
            "one by one": (len(few), lambda: lines(few, None)),
        }
        for _, work in ways.values():
            work()  # traces are made, and files are in the system's memory
        seconds: dict[str, list[float]] = {way: [] for way in ways}
        for turn in range(TURNS):
            for way, (files, work) in ways.items():
                seconds[way].append(timed(work))
                rate = files / seconds[way][-1]
                print(f"turn {turn + 1}, {way}: {rate:.1f} a second", file=sys.stderr, flush=True)
    rates = {way: ways[way][0] / statistics.median(took) for way, took in seconds.items()}
    return {
        "model": name,
        "recordings": count,
        "seconds": seconds,
        "recordings_per_second": rates,
        "of_direct": rates["files"] / rates["direct"],
        "times_one_by_one": rates["files"] / rates["one by one"],
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "versions": provenance.versions(),
        "git": provenance.git_state(),
    }


def markdown(found: dict[str, Any]) -> str:
    """Format the content of `bulk.json`."""
    rates = found["recordings_per_second"]
    lines = [
        f"`{found['model']}`, {found['recordings']} WAV files of 22.05 and 48 kHz, median of "
        f"{TURNS} turns; {found['peak_megabytes']:.0f} MB at the peak",
        "",
        "| | recordings a second |",
        "| --- | ---: |",
        f"| `serving_default`, bytes in memory, batches of {BATCH_SIZE} | {rates['direct']:.1f} |",
        f"| files to lines, as `predict --out` | {rates['files']:.1f} |",
        f"| one file after the other | {rates['one by one']:.1f} |",
        "",
        f"{found['of_direct']:.2f} of the direct calls' rate, and "
        f"{found['times_one_by_one']:.1f} times that of one after the other.",
    ]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bulk", description=__doc__)
    parser.add_argument("--model", default="convolutional", metavar="RUN|FILE.keras|PRESET")
    parser.add_argument("--recordings", type=int, default=2000, metavar="N")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    options = parser.parse_args(arguments)
    return leave(
        "bulk", options.out, lambda _: measure(options.model, options.recordings), markdown
    )


if __name__ == "__main__":
    sys.exit(main())
