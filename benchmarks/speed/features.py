"""Feature extraction, in recordings per second: plain librosa, our extraction, TensorFlow.

    python benchmarks/speed/features.py --data FOLDER [--limit N] [--out features.json]

Files to features: the loop that a user would write (librosa.load, librosa.feature.mfcc per window)
against `extract_corpus` with one and with two worker processes and nothing cached, in seconds of
the clock, with what starting the workers takes. Decoded sound to features: the same loop against
the TensorFlow front end, given padded batches, each held to one core and one thread, in that core's
seconds. Every way runs `--repeats` times, in turns, in processes of their own, and its fastest run
counts. Other load on the machine spoils the first comparison and hardly touches the second.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np

from ser_keras.corpora.utterance import Corpus, Utterance
from ser_keras.features.extraction import extract_corpus
from ser_keras.features.spec import FeatureSpec
from ser_keras.features.workers import ONE_THREAD_EACH
from ser_keras.sound import decoding

SPEC = FeatureSpec()
BATCH = 32  # recordings per batch of the TensorFlow front end, padded to the longest
SUFFIXES = {".wav", ".flac", ".mp3", ".ogg"}


def plain_loop(waveform: np.ndarray) -> np.ndarray:
    """Extract the paper's features as a user of librosa would write it."""
    return np.array(
        [
            librosa.feature.mfcc(y=waveform[start : start + 44100], sr=22050, n_mfcc=40).mean(
                axis=1
            )
            for start in range(0, len(waveform) - 44100 + 1, 22050)
        ]
    )


def files_by_plain_loop(paths: list[Path]) -> None:
    for path in paths:
        plain_loop(librosa.load(path, sr=22050)[0])


def files_by_extraction(workers: int) -> Callable[[list[Path]], None]:
    def run(paths: list[Path]) -> None:
        corpus = Corpus("benchmark", tuple(Utterance(path, "any") for path in paths), ("any",))
        with tempfile.TemporaryDirectory() as cache:
            extracted = extract_corpus(corpus, SPEC, cache, workers, progress=False)
        assert not extracted.failed

    return run


def sound_by_plain_loop(waveforms: list[np.ndarray]) -> None:
    for waveform in waveforms:
        plain_loop(waveform)


def sound_in_tensorflow() -> Callable[[list[np.ndarray]], None]:
    import tensorflow as tf

    from ser_keras.features.frontend import Frontend

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    graph = tf.function(
        Frontend(SPEC),
        input_signature=[tf.TensorSpec([None, None]), tf.TensorSpec([None], tf.int32)],
    )

    def run(waveforms: list[np.ndarray]) -> None:
        for first in range(0, len(waveforms), BATCH):
            batch = waveforms[first : first + BATCH]
            samples = np.array([len(waveform) for waveform in batch], np.int32)
            padded = np.zeros((len(batch), samples.max()), np.float32)
            for row, waveform in zip(padded, batch, strict=True):
                row[: len(waveform)] = waveform
            graph(padded, samples)

    return run


WAYS: dict[str, Callable[[], Callable]] = {
    "files, plain librosa loop": lambda: files_by_plain_loop,
    "files, extract_corpus, 1 worker": lambda: files_by_extraction(1),
    "files, extract_corpus, 2 workers": lambda: files_by_extraction(2),
    "sound, plain librosa loop, 1 core": lambda: sound_by_plain_loop,
    "sound, twin in TensorFlow, 1 core": sound_in_tensorflow,
}


def measure(way: str, paths: list[Path]) -> float:
    """Measure the seconds that one way takes, imports and first calls left out."""
    run = WAYS[way]()
    if way.startswith("sound"):
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        waveforms = [decoding.load(path, SPEC.sample_rate) for path in paths]
        run(waveforms[:BATCH])
        start = time.process_time()
        run(waveforms)
        return time.process_time() - start
    files_by_plain_loop(paths[:3])
    start = time.perf_counter()
    run(paths)
    return time.perf_counter() - start


def measure_apart(way: str, arguments: argparse.Namespace) -> float:
    """Call `measure` in a process of its own with one thread."""
    command = [sys.executable, __file__, "--data", arguments.data, "--way", way]
    command += ["--limit", str(arguments.limit)]
    done = subprocess.run(
        command, env=os.environ | ONE_THREAD_EACH, stdout=subprocess.PIPE, check=True
    )
    return float(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", required=True, help="folder of sound files")
    parser.add_argument("--limit", type=int, default=0, help="use so many files, 0 for all")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--out", default="features.json", help="where the results go")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    paths = sorted(path for path in Path(arguments.data).rglob("*") if path.suffix in SUFFIXES)
    paths = paths[: arguments.limit or None]
    if not paths:
        parser.error(f"--data {arguments.data}: no sound files in this folder")
    if arguments.way:
        print(measure(arguments.way, paths))
        return
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(arguments.repeats):
        for way in WAYS:
            seconds[way].append(measure_apart(way, arguments))
    report(seconds, len(paths), Path(arguments.out))


def report(seconds: dict[str, list[float]], files: int, out: Path) -> None:
    """Print the table and the README's line, and write the JSON."""
    rate = {way: files / min(runs) for way, runs in seconds.items()}
    loop, one, two, sound_loop, tensorflow = rate.values()
    ratios = {
        "extract_corpus, 2 workers : 1": two / one,
        "extract_corpus, 2 workers : plain loop": two / loop,
        "twin : plain loop, 1 core": tensorflow / sound_loop,
    }
    print(f"{'':<40}{'files/s':>9}{'per core':>10}")
    for way, files_per_second in rate.items():
        cores = 2 if "2 workers" in way else 1
        print(f"{way:<40}{files_per_second:>9.1f}{files_per_second / cores:>10.1f}")
    for name, ratio in ratios.items():
        print(f"{name:<40}{ratio:>8.2f}x")
    line = (
        f"Features of {files} recordings: {two:.0f} files/s with two workers, "
        f"{two / one:.1f}x one and {two / loop:.1f}x a plain librosa loop; "
        f"the TensorFlow front end {tensorflow / sound_loop:.1f}x librosa on one core."
    )
    print(f"\nREADME: {line}")
    results = {
        "files": files,
        "cores": os.cpu_count(),
        "seconds": seconds,
        "files_per_second": rate,
        "ratios": ratios,
        "readme": line,
    }
    out.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
