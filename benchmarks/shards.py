"""Peak memory of a training on shards, by the size of the corpus.

    python -m benchmarks.shards --gigabytes 0.5 2 10 --out OUT

makes up shards of that many gigabytes of log-mel patches, one corpus after the other, and trains
one epoch of a small model on each in a process of its own, with the code of `ser-keras train
--features`. The largest corpus has to fit on the disk that has OUT; its shards are removed. Left in
OUT: `shards.json` and `shards.md`.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.outcome import leave
from ser_keras import provenance
from ser_keras.corpora.utterance import Corpus, Utterance
from ser_keras.errors import SerKerasError
from ser_keras.features.extraction import Extraction
from ser_keras.features.spec import FeatureSpec

INSTANTS = 4, 10  # of an utterance, at least and at most
SHARD = 512  # utterances
CLASSES = "calm", "angry"

# A model that takes no time, on observations that take space: 32 kB each.
SETTINGS = {
    "kind": "log-mel",
    "statistics": (),
    "sample_rate": 16000,
    "window": 1.008,
    "hop": 0.512,
    "mel_bands": 128,
    "frame_hop": 256,
    "recognition_units": 8,
    "generation_units": 8,
    "classification_units": 8,
    "latent_size": 4,
    "batch_size": 32,
    "epochs": 1,
}


def make(spec: FeatureSpec, gigabytes: float, out: Path) -> int:
    """Write shards of random observations; return how many utterances there are."""
    from ser_keras.training import shards

    mean = np.prod(spec.observation_shape) * 4 * np.mean(INSTANTS)
    count = max(int(gigabytes * 1e9 / mean), 40)
    made_up = [Utterance(Path(f"{n}.wav"), CLASSES[n % 2], str(n % 20)) for n in range(count)]
    random = np.random.default_rng(0)
    shape = INSTANTS[1], *spec.observation_shape
    noise = [random.normal(-40.0, 10.0, shape).astype(np.float32) for _ in range(16)]

    def extract(corpus: Corpus, *_: Any, **__: Any) -> Extraction:
        lengths = random.integers(INSTANTS[0], INSTANTS[1], len(corpus), endpoint=True)
        observations = [noise[n % len(noise)][:length] for n, length in enumerate(lengths)]
        indexes = np.arange(len(corpus))
        return Extraction(corpus, observations, 0.5 * lengths, (), (), indexes=indexes)

    with mock.patch.object(shards, "extract_corpus", extract):
        shards.write(Corpus("made-up", tuple(made_up), CLASSES), spec, out, SHARD)
    return count


def train(folder: Path, out: Path) -> float:
    """Train one epoch; return this process' peak in megabytes."""
    from ser_keras.model import presets
    from ser_keras.training.run import TrainingRun
    from ser_keras.training.train import train as train_run

    preset = presets.RAVDESS.with_settings(SETTINGS)
    train_run(TrainingRun("made-up", features=str(folder), preset=preset, split="speaker"), out)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def measure(sizes: Sequence[float], out: Path) -> dict[str, Any]:
    """Return the content of `shards.json`."""
    from ser_keras.model import presets

    spec = presets.RAVDESS.with_settings(SETTINGS).features
    rows = []
    for gigabytes in sizes:
        with tempfile.TemporaryDirectory(dir=out) as scratch:
            folder = Path(scratch) / "shards"
            count = make(spec, gigabytes, folder)
            written = sum(path.stat().st_size for path in folder.glob("*.tfrecord"))
            command = [sys.executable, "-m", "benchmarks.shards", "--train", str(folder)]
            began = time.monotonic()
            ran = subprocess.run(
                [*command, "--out", str(Path(scratch) / "run")], stdout=subprocess.PIPE, text=True
            )
            if ran.returncode:
                raise SerKerasError(f"training on {gigabytes} GB: expected status 0, found another")
            rows.append(
                {
                    "gigabytes": written / 1e9,
                    "utterances": count,
                    "peak_megabytes": json.loads(ran.stdout.splitlines()[-1]),
                    "seconds": time.monotonic() - began,
                }
            )
            print(rows[-1], file=sys.stderr, flush=True)
    return {"rows": rows, "versions": provenance.versions(), "git": provenance.git_state()}


def markdown(found: dict[str, Any]) -> str:
    """Format the content of `shards.json`."""
    lines = ["| features, GB | utterances | peak memory, MB |", "| ---: | ---: | ---: |"]
    for row in found["rows"]:
        peak = row["peak_megabytes"]
        lines.append(f"| {row['gigabytes']:.1f} | {row['utterances']:,} | {peak:,.0f} |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shards", description=__doc__)
    parser.add_argument("--gigabytes", type=float, nargs="+", default=[0.5, 2.0, 10.0])
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--train", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.train is not None:
        print(train(options.train, options.out))
        return 0
    return leave("shards", options.out, lambda out: measure(options.gigabytes, out), markdown)


if __name__ == "__main__":
    sys.exit(main())
