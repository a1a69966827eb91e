"""Training throughput: `VRNN.fit` against the same model in PyTorch, utterances per second.

    python -m benchmarks.speed.training --out training.json

Both train the paper's model for RAVDESS (512/256/512 units, 20 latent variables, the same dropouts,
Eq. 5, RMSprop, batches of 256) with equally many threads. Each is a process of its own that warms
up for one epoch; then they take turns, an epoch each, so that a change of the machine's state meets
both. The ratio is the median over turns of one turn's two throughputs.

Measure on a machine with nothing else to do. PyTorch's threads wait for one another by spinning,
and lose far more than TensorFlow's where other programs want the same cores: under load the ratio
flatters TensorFlow.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

IDLE = 0.5  # load average, in processes that want to run

# Seconds before every epoch: threads of the one that ended spin on for a while, at the next's cost.
PAUSE = 1.0

OURS, PEER = "ser_keras", "pytorch"
# Utterances of an epoch, by instants per utterance: enough for a second or more, whole batches.
UTTERANCES = {4: 1024, 64: 512}


class Contender:
    """A process that trains an epoch when told to; see `training_contenders`."""

    def __init__(self, name: str, instants: int, utterances: int, threads: int) -> None:
        self.name = name
        self.utterances = utterances
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "benchmarks.speed.training_contenders", name),
                *("--instants", str(instants)),
                *("--utterances", str(utterances)),
                *("--threads", str(threads)),
            ],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()  # of the warm-up

    def epoch(self) -> float:
        """Train an epoch and return its throughput, in utterances per second."""
        time.sleep(PAUSE)
        assert self._process.stdin
        print(file=self._process.stdin, flush=True)
        return self.utterances / self._answer()

    def close(self) -> None:
        """End the process, which stops at the end of its input."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()

    def _answer(self) -> float:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended with status {self._process.wait()}")
        return float(line)


def compare(instants: int, utterances: int, repetitions: int, threads: int) -> dict[str, Any]:
    """Let both train in turns; return throughputs in utterances per second."""
    contenders = [Contender(name, instants, utterances, threads) for name in (OURS, PEER)]
    runs: dict[str, list[float]] = {OURS: [], PEER: []}
    for repetition in range(repetitions):
        # Whoever goes second may find the machine in another state: take turns at that too.
        for contender in contenders if repetition % 2 == 0 else reversed(contenders):
            runs[contender.name].append(contender.epoch())
    for contender in contenders:
        contender.close()
    ratios = [ours / peer for ours, peer in zip(runs[OURS], runs[PEER], strict=True)]
    return {
        "instants": instants,
        "utterances": utterances,
        **{
            name: {"median": statistics.median(found), "best": max(found), "runs": found}
            for name, found in runs.items()
        },
        "ratio": {"median": statistics.median(ratios), "min": min(ratios), "max": max(ratios)},
    }


def table(results: list[dict[str, Any]]) -> str:
    """Write the results in Markdown."""
    lines = [
        "| instants | ser_keras, utterances/s | PyTorch, utterances/s | ratio (lowest, highest) |",
        "| ---: | ---: | ---: | ---: |",
    ]
    for result in results:
        ratio = result["ratio"]
        lines.append(
            f"| {result['instants']} | {result[OURS]['median']:.0f} | {result[PEER]['median']:.0f} "
            f"| {ratio['median']:.2f} ({ratio['min']:.2f}, {ratio['max']:.2f}) |"
        )
    return "\n".join(lines)


def summary(results: list[dict[str, Any]]) -> str:
    """Summarize in a line for the README."""
    ratios = " and ".join(
        f"{result['ratio']['median']:.2f} × at T = {result['instants']}" for result in results
    )
    return f"Training throughput over the same model in PyTorch: {ratios}."


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=9, help="epochs each, after the warm-up")
    parser.add_argument("--threads", type=int, default=2, help="threads of each (default 2)")
    parser.add_argument("--instants", type=int, nargs="+", choices=UTTERANCES, default=[4, 64])
    parser.add_argument("--out", type=Path, help="where to write the JSON")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    if load > IDLE:
        print(f"The load average is {load:.1f}: the ratio will flatter ser_keras", file=sys.stderr)
    results = []
    for instants in arguments.instants:
        print(f"Training with {instants} instants per utterance", file=sys.stderr)
        results.append(
            compare(instants, UTTERANCES[instants], arguments.repetitions, arguments.threads)
        )
    print(table(results))
    print(summary(results))
    if arguments.out:
        versions = {name: importlib.metadata.version(name) for name in ("tensorflow", "torch")}
        document = {
            "threads": arguments.threads,
            "load_average_before": load,
            "results": results,
            "versions": {"python": platform.python_version(), **versions},
        }
        arguments.out.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
