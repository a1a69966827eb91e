"""Measurement of one model at every precision, and of openSMILE, on the same sound."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.edge.contenders import ROOT
from benchmarks.edge.models import Candidate
from benchmarks.edge.sounds import Sounds
from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import ConfigurationError
from ser_keras.features.spec import FeatureSpec
from ser_keras.features.workers import ONE_THREAD_EACH

Arrays = dict[str, np.ndarray]

KERAS = "keras"
BOUNDS = (1e-4, 1e-2)  # what float32 and float16 are to keep to


def run_apart(contender: str, model: Path | str, sounds: Sounds) -> Arrays:
    """Measure a contender in a process of its own; see `contenders`.

    Raises:
        ConfigurationError: openSMILE is not installed.
    """
    if contender == "egemaps" and importlib.util.find_spec("opensmile") is None:
        raise ConfigurationError(
            "openSMILE is not installed: make benchmarks-venv, or --without-opensmile"
        )
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.npz"
        words = ["-m", "benchmarks.edge.contenders", contender, str(model), str(sounds.path)]
        quiet = {"TF_CPP_MIN_LOG_LEVEL": "3"}
        subprocess.run(
            [sys.executable, *words, str(out)],
            cwd=ROOT,
            env=os.environ | ONE_THREAD_EACH | quiet,
            stderr=subprocess.DEVNULL if contender != "egemaps" else None,
            check=True,
        )
        with np.load(out) as found:
            return dict(found)


def measure(
    found: Candidate, files: dict[str, Path], corpus: Corpus, sounds: Sounds
) -> dict[str, Any]:
    """Measure the cost of each precision, and its agreement with the Keras model.

    Args:
        found: the model.
        files: its TFLite files by precision.
        corpus: the utterances whose sound it is.
        sounds: at the model's rate.

    Returns:
        By contender, `keras` or a precision: bytes, latency and memory as `cost` gives them,
        agreement with the Keras model's answers for whole recordings on all utterances, and
        weighted accuracy on the run's test subset.
    """
    spec = found.run.preset.features
    model = found.folder / "model.keras"
    keras = run_apart(KERAS, model.resolve(), sounds)
    measured = {KERAS: (model, keras)} | {
        precision: (file, run_apart("tflite", file.resolve(), sounds))
        for precision, file in files.items()
    }
    held_out = set(found.test_subset())
    tested = np.array([utterance in held_out for utterance in corpus])
    labels = corpus.labels()
    return {
        name: {
            "bytes": file.stat().st_size,
            **cost(arrays, spec, sounds),
            "agreement": agreement(arrays["probabilities"], keras["whole"]),
            "accuracy": accuracy(arrays["probabilities"], labels, tested),
        }
        for name, (file, arrays) in measured.items()
    }


def cost(arrays: Arrays, spec: FeatureSpec, sounds: Sounds) -> dict[str, Any]:
    """Summarize the cost of one process.

    Returns:
        latency: median and 99th percentile, seconds by the clock from the last sample of a hop to
            its answer; hop_cpu: the same in seconds of the processor, which other programs on the
            machine disturb less; share_of_real_time: its median by the length of a hop;
            real_time_factor: seconds of the processor for all, by seconds of sound;
            peak_memory: megabytes.
    """
    median, late = np.percentile(arrays["latencies"], [50, 99])
    cpu, cpu_late = np.percentile(arrays["hop_cpu"], [50, 99])
    return {
        "latency": {"median": float(median), "p99": float(late)},
        "hop_cpu": {"median": float(cpu), "p99": float(cpu_late)},
        "share_of_real_time": float(cpu / spec.hop),
        "real_time_factor": float(arrays["cpu_seconds"] / sounds.seconds),
        "peak_memory": float(arrays["peak_memory"]),
    }


def peer_cost(arrays: Arrays, sounds: Sounds) -> dict[str, Any]:
    """Summarize the cost of openSMILE; its latency is that of a whole recording."""
    median, late = np.percentile(arrays["latencies"], [50, 99])
    return {
        "latency_of_a_recording": {"median": float(median), "p99": float(late)},
        "real_time_factor": float(arrays["cpu_seconds"] / sounds.seconds),
        "peak_memory": float(arrays["peak_memory"]),
    }


def agreement(found: np.ndarray, expected: np.ndarray) -> dict[str, Any]:
    """Compare answers [N, C] with those expected.

    Returns:
        largest: difference of any probability; p99: of the largest of each utterance; beyond:
            how many utterances have one beyond each of `BOUNDS`; same_emotion: share of the
            utterances; utterances: N.
    """
    differences = np.abs(found - expected).max(axis=1)
    same = found.argmax(axis=1) == expected.argmax(axis=1)
    return {
        "largest": float(differences.max()),
        "p99": float(np.percentile(differences, 99)),
        "beyond": {str(bound): int((differences > bound).sum()) for bound in BOUNDS},
        "same_emotion": float(same.mean()),
        "utterances": len(found),
    }


def accuracy(found: np.ndarray, labels: np.ndarray, tested: np.ndarray) -> dict[str, Any]:
    """Compute weighted accuracy on the test subset; None if no utterance of it was measured."""
    right = (found.argmax(axis=1) == labels)[tested]
    return {
        "weighted_accuracy": float(right.mean()) if len(right) else None,
        "n_test": len(right),
    }
