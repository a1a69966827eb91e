"""Seconds of a training step: one process of one core, and two workers of one core each.

    python -m benchmarks.workers --preset convolutional --out OUT

Both train on the same made-up observations in the same global batches, by the code of
`ser-keras train`. The two workers are on this machine, one core each, and exchange gradients over
loopback: what a network adds is not in the numbers, so between machines it pays later, not sooner.
An epoch that traces the graph comes first; the median step of the epochs after it is reported.
Left in OUT: `workers.json` and `workers.md`. Measure on a machine with two cores and nothing else
to do.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.outcome import leave
from ser_keras import provenance
from ser_keras.errors import ConfigurationError

BATCHES = 16, 32, 64, 128, 256, 512  # utterances of all workers together
INSTANTS = 7  # of each utterance: some four seconds of speech
STEPS = 10  # of each epoch
EPOCHS = 3  # after the one that traces


def train(preset_name: str, batches: Sequence[int]) -> dict[int, list[float]]:
    """Train as this process' share of the cluster; return the seconds of every epoch."""
    from ser_keras.training import workers

    strategy = workers.join()
    import keras
    import numpy as np

    from ser_keras.corpora.utterance import Corpus, Utterance
    from ser_keras.features.extraction import Extraction
    from ser_keras.model import presets
    from ser_keras.model.vrnn import VRNN
    from ser_keras.training import pipeline

    preset, classes = presets.get(preset_name), ("calm", "angry")
    random = np.random.default_rng(0)
    shape = (INSTANTS, *preset.features.observation_shape)
    one = random.normal(-40.0, 10.0, shape).astype(np.float32)
    took: dict[int, list[float]] = {}
    for batch in batches:
        count = batch * STEPS
        made_up = tuple(Utterance(Path(f"{n}.wav"), classes[n % 2]) for n in range(count))
        extraction = Extraction(
            Corpus("made-up", made_up, classes), [one] * count, np.ones(count), (), ()
        )

        def shared(share: Any = None, extraction: Any = extraction, batch: int = batch) -> Any:
            return pipeline.batches(extraction, batch, shuffle=True, share=share)

        with strategy.scope():
            model = VRNN.from_preset(preset, classes, seed=0)
            model.compile()
        model.adapt(shared().take(1))
        seconds: list[float] = []

        def begin(epoch: int, logs: Any = None, seconds: list[float] = seconds) -> None:
            seconds.append(time.perf_counter())

        def end(epoch: int, logs: Any = None, seconds: list[float] = seconds) -> None:
            seconds[-1] = time.perf_counter() - seconds[-1]

        timer = keras.callbacks.LambdaCallback(on_epoch_begin=begin, on_epoch_end=end)
        data = workers.share(strategy, shared)
        model.fit(data, epochs=1 + EPOCHS, verbose=0, callbacks=[timer])
        took[batch] = seconds[1:]
        print(f"{batch}: {took[batch]}", file=sys.stderr, flush=True)
    return took


def measure(preset: str, batches: Sequence[int]) -> dict[str, Any]:
    """Time one process, then two workers; return the content of `workers.json`."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        raise ConfigurationError(f"cores: expected 2, found {len(cores)}")
    load = os.getloadavg()[0]
    seconds = {str(count): _run(preset, batches, cores[:count]) for count in (1, 2)}
    step = {
        count: {batch: statistics.median(epochs) / STEPS for batch, epochs in found.items()}
        for count, found in seconds.items()
    }
    ratio = {batch: step["2"][batch] / step["1"][batch] for batch in step["1"]}
    return {
        "preset": preset,
        "load_before": load,
        "seconds_of_an_epoch": seconds,
        "seconds_of_a_step": step,
        "of_one": ratio,
        "pays_from": next((int(batch) for batch in ratio if ratio[batch] < 1.0), None),
        "versions": provenance.versions(),
        "git": provenance.git_state(),
    }


def _run(preset: str, batches: Sequence[int], cores: Sequence[int]) -> dict[str, list[float]]:
    """Train in a process on each core; return what the first, the chief, measured."""
    addresses = _free_addresses(len(cores))
    command = [sys.executable, "-m", "benchmarks.workers", "--preset", preset, "--out", os.devnull]
    command += ["--batches", *map(str, batches), "--worker"]
    running = []
    for index, core in enumerate(cores):
        task = {"type": "worker", "index": index}
        cluster = json.dumps({"cluster": {"worker": addresses}, "task": task})
        running.append(
            subprocess.Popen(
                # TensorFlow starts as many threads as taskset leaves it cores.
                ["taskset", "--cpu-list", str(core), *command],
                stdout=subprocess.PIPE if index == 0 else subprocess.DEVNULL,
                stderr=None if index == 0 else subprocess.DEVNULL,
                text=True,
                env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "TF_CONFIG": cluster},
            )
        )
    out, _ = running[0].communicate()
    statuses = [worker.wait() for worker in running]
    if any(statuses):
        raise ConfigurationError("workers: expected all to end well, found one that failed")
    return json.loads(out.splitlines()[-1])


def _free_addresses(count: int) -> list[str]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    return addresses


def markdown(found: dict[str, Any]) -> str:
    """Format the content of `workers.json`."""
    one, two = found["seconds_of_a_step"]["1"], found["seconds_of_a_step"]["2"]
    lines = [
        f"`{found['preset']}`, utterances of {INSTANTS} instants, one core each, gradients over "
        "loopback; seconds of a step",
        "",
        "| global batch | one process | two workers | of one |",
        "| ---: | ---: | ---: | ---: |",
        *(
            f"| {batch} | {one[batch]:.3f} | {two[batch]:.3f} | {found['of_one'][batch]:.2f} |"
            for batch in one
        ),
    ]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.workers", description=__doc__)
    parser.add_argument("--preset", default="convolutional", metavar="NAME")
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES, metavar="N")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.worker:
        print(json.dumps(train(options.preset, options.batches)))
        return 0
    return leave(
        "workers", options.out, lambda _: measure(options.preset, options.batches), markdown
    )


if __name__ == "__main__":
    sys.exit(main())
