"""Throughput and latency of `ser-keras serve` beside direct calls of the SavedModel it serves.

    python -m benchmarks.serving --recordings RAVDESS --out serving.json

The limit is the loaded SavedModel called with batches of 32 recordings from as many threads as
there are cores. The server is then asked by 64 clients on loopback, for one recording at a time;
the two take turns. Latency is that of one client, in turns with direct calls of one recording.
Clients run on the same cores as the server, and their work counts against it.

Measure on a machine with nothing else to do.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from benchmarks.serving import load

BATCH = 32
RECORDINGS = 64
LATENCY_CALLS = 100
NAME = "vrnn"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="NAME/VERSION; a new one of the paper's sizes")
    parser.add_argument("--recordings", type=Path, help="a folder of sound; made up if not given")
    parser.add_argument("--rate", type=int, default=22050, help="of the WAV files sent, in hertz")
    parser.add_argument("--seconds", type=float, default=60.0, help="of load, in all")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    recordings = read(options.recordings, options.rate)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / NAME).mkdir()
        model = options.model or export(folder / "made" / "1")
        (folder / NAME / "1").symlink_to(model.resolve())
        found = measure(folder, recordings, options)
    print(table(found))
    if options.out:
        options.out.write_text(json.dumps(found, indent=2) + "\n")


def read(folder: Path | None, rate: int) -> list[bytes]:
    """Read recordings as 16-bit WAV files of a rate; without a folder, make 3.7 s of noise each."""
    from ser_keras.export.serving.tf_serving.warm_up import wav

    if folder is None:
        generator = np.random.default_rng(0)
        return [wav(generator.normal(0, 0.1, int(3.7 * rate)), rate) for _ in range(RECORDINGS)]
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".wav", ".flac"))
    made = []
    for path in files[:: max(1, len(files) // RECORDINGS)][:RECORDINGS]:
        samples, own = soundfile.read(path, always_2d=True)
        made.append(wav(soxr.resample(samples.mean(axis=1), own, rate), rate))
    return made


def export(folder: Path) -> Path:
    """Make an untrained model of the paper's sizes, which is as fast as a trained one."""
    from ser_keras import export as exports
    from ser_keras.model.vrnn import VRNN

    model = VRNN.from_preset("ravdess", [f"emotion-{n}" for n in range(8)], seed=0)
    model.adapt([np.random.default_rng(0).normal(-5, 20, (1, 8, 40)).astype(np.float32)])
    return exports.saved_model(model, folder)


class Direct:
    """The SavedModel, loaded and called in this process."""

    def __init__(self, folder: Path) -> None:
        import tensorflow as tf

        self._constant = tf.constant
        self._loaded = tf.saved_model.load(str(folder))
        self._signature = self._loaded.signatures["serving_default"]

    def call(self, recordings: Sequence[bytes]) -> dict[str, Any]:
        """Answer recordings as one batch."""
        answers = self._signature(audio=self._constant(list(recordings)))
        return {name: value.numpy() for name, value in answers.items()}

    def emotions(self, recordings: Sequence[bytes]) -> list[str]:
        """Answer each recording alone."""
        return [self.call([one])["emotion"][0].decode() for one in recordings]

    def throughput(self, recordings: Sequence[bytes], seconds: float, threads: int) -> float:
        """Measure recordings per second, in batches."""
        began = time.perf_counter()

        def work(number: int) -> int:
            done = 0
            while time.perf_counter() - began < seconds:
                first = (number * BATCH + done) % len(recordings)
                self.call([*recordings[first:], *recordings[:first]][:BATCH])
                done += BATCH
            return done

        with ThreadPoolExecutor(threads) as pool:
            done = sum(pool.map(work, range(threads)))
        return done / (time.perf_counter() - began)


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[tuple[int, int]]:
    """Start the server in a process of its own; yield its port and the process' number."""
    words = [sys.executable, "-m", "ser_keras", "serve", str(folder), "--port", "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline().rpartition(":")[2]), process.pid
        finally:
            process.terminate()


def measure(folder: Path, recordings: list[bytes], options: argparse.Namespace) -> dict[str, Any]:
    threads = os.cpu_count() or 1
    with serving(folder) as (port, _):
        direct = Direct(folder / NAME / "1")
        requests = [load.request(NAME, one) for one in recordings]
        emotions = direct.emotions(recordings)
        direct.throughput(recordings, 2.0, threads)
        load.run(port, requests, emotions, options.clients, 2.0)
        limits, loads = [], []
        for _ in range(options.turns):
            limits.append(direct.throughput(recordings, options.seconds / options.turns, threads))
            loads.append(
                load.run(port, requests, emotions, options.clients, options.seconds / options.turns)
            )
        alone: list[float] = []
        served: list[float] = []
        for turn in range(LATENCY_CALLS):
            one = turn % len(recordings)
            began = time.perf_counter()
            direct.call([recordings[one]])
            alone.append(time.perf_counter() - began)
            single = load.run(port, [requests[one]], [emotions[one]], 1, 0.0)
            served += single.latencies
    latencies = [latency for one in loads for latency in one.latencies]
    percentiles = np.percentile(latencies, [50, 95, 99])
    return {
        "direct_per_second": statistics.median(limits),
        "served_per_second": statistics.median(one.throughput for one in loads),
        "share": statistics.median(
            one.throughput / limit for one, limit in zip(loads, limits, strict=True)
        ),
        "clients": options.clients,
        "answers": len(latencies),
        "errors": sum(len(one.errors) for one in loads),
        "first_errors": [error for one in loads for error in one.errors][:3],
        "wrong": sum(one.wrong for one in loads),
        **dict(zip(("p50", "p95", "p99"), percentiles.tolist(), strict=True)),
        "latency_direct": statistics.median(alone),
        "latency_served": statistics.median(served),
        "latency_ratio": statistics.median(served) / statistics.median(alone),
        "rate": options.rate,
        "threads": threads,
        "load_average": os.getloadavg()[0],
        "machine": platform.processor() or platform.machine(),
    }


def table(found: dict[str, Any]) -> str:
    return (
        "| | recordings/s | p50, ms | p95, ms | p99, ms |\n| --- | --- | --- | --- | --- |\n"
        f"| SavedModel called directly, batches of {BATCH}, {found['threads']} threads | "
        f"{found['direct_per_second']:.1f} | – | – | – |\n"
        f"| served to {found['clients']} clients | {found['served_per_second']:.1f} "
        f"({100 * found['share']:.0f} %) | {1e3 * found['p50']:.0f} | "
        f"{1e3 * found['p95']:.0f} | "
        f"{1e3 * found['p99']:.0f} |\n\n"
        f"{found['answers']} answers, {found['errors']} errors, {found['wrong']} wrong. "
        f"One recording alone: {1e3 * found['latency_served']:.1f} ms served, "
        f"{1e3 * found['latency_direct']:.1f} ms called directly, ratio "
        f"{found['latency_ratio']:.2f}."
    )


if __name__ == "__main__":
    main()
