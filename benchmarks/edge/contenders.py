"""The programs that are measured, each a process of its own on one core.

    python -m benchmarks.edge.contenders tflite MODEL.tflite SOUND OUT.npz
    python -m benchmarks.edge.contenders keras MODEL.keras SOUND OUT.npz
    python -m benchmarks.edge.contenders egemaps - SOUND OUT.npz

A process loads its model, recognises the first recordings to be warm, then all of them, in chunks
that each complete one instant; the answer to each is timed. The measurements go into an .npz file.
It imports only what it needs: openSMILE crashes beside TensorFlow, whose memory would also count
as TFLite's.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.edge.sounds import Sounds

ROOT = Path(__file__).parents[2]
WARM_UP = 3  # recordings

# Takes the next samples, None for the end, and returns the instants that they complete.
Push = Callable[[Any], Iterable[dict[str, Any]]]
Arrays = dict[str, np.ndarray]


def load_runner() -> Any:
    """Load the copyable runner as a module of its own, without ser_keras, as a device has it."""
    spec = util.spec_from_file_location("runner", ROOT / "export" / "runner.py")
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tflite(model: str, sounds: Sounds) -> Arrays:
    """Measure the runner, with one thread."""
    runner = load_runner().Runner(model)

    def push(samples: np.ndarray | None) -> Iterable[dict[str, Any]]:
        return runner.finish() if samples is None else runner.push(samples)

    lengths = runner._window.shape[1], runner._hop
    return _stream(push, runner.reset, lengths, sounds)


def keras(model: str, sounds: Sounds) -> Arrays:
    """Measure `StreamingRecognizer`, with one thread; add `Recognizer`'s answers as `whole`."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    from ser_keras import Recognizer, StreamingRecognizer

    recognizer = StreamingRecognizer(model)
    spec = recognizer.model.features

    def push(samples: np.ndarray | None) -> Iterable[dict[str, Any]]:
        return recognizer.finish() if samples is None else recognizer.push(samples)

    found = _stream(push, recognizer.reset, (spec.window_length, spec.hop_length), sounds)
    whole = Recognizer(recognizer.model)
    answers = [whole.recognize_samples(sound, attention=False)["probabilities"] for sound in sounds]
    return found | {"whole": np.array([list(answer.values()) for answer in answers])}


def egemaps(_: str, sounds: Sounds) -> Arrays:
    """Measure openSMILE's eGeMAPSv02 functionals, once per recording: the least it can do."""
    import opensmile

    smile = opensmile.Smile(
        opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals, num_workers=1
    )
    for number, sound in enumerate(sounds):
        if number == WARM_UP:
            break
        smile.process_signal(sound, sounds.sample_rate)
    latencies, cpu = [], 0.0
    for sound in sounds:
        began, used = time.perf_counter(), time.process_time()
        smile.process_signal(sound, sounds.sample_rate)
        latencies.append(time.perf_counter() - began)
        cpu += time.process_time() - used
    return {"latencies": np.array(latencies), "cpu_seconds": np.array(cpu)}


def _stream(
    push: Push, reset: Callable[[], None], lengths: tuple[int, int], sounds: Sounds
) -> Arrays:
    """Time every answer.

    Returns:
        latencies: seconds by the clock from an instant's last sample to its answer [hops].
        hop_cpu: seconds of the processor for the same [hops].
        cpu_seconds: of the processor, for everything.
        probabilities: at each recording's last instant [recordings, C].
    """
    latencies: list[float] = []
    hop_cpu: list[float] = []
    probabilities = []
    cpu = 0.0
    for timed, sound in _warm_first(sounds):
        reset()
        last: dict[str, Any] = {}
        began = time.process_time()
        for chunk in _chunks(sound, *lengths):
            start, used = time.perf_counter(), time.process_time()
            instants = list(push(chunk))
            if timed and instants:
                latencies.append(time.perf_counter() - start)
                hop_cpu.append(time.process_time() - used)
            last = instants[-1] if instants else last
        if timed:
            cpu += time.process_time() - began
            probabilities.append(list(last["probabilities"].values()))
    return {
        "latencies": np.array(latencies),
        "hop_cpu": np.array(hop_cpu),
        "cpu_seconds": np.array(cpu),
        "probabilities": np.array(probabilities),
    }


def _warm_first(sounds: Sounds) -> Iterator[tuple[bool, np.ndarray]]:
    yield from ((False, sound) for _, sound in zip(range(WARM_UP), sounds, strict=False))
    yield from ((True, sound) for sound in sounds)


def _chunks(sound: np.ndarray, window: int, hop: int) -> Iterator[np.ndarray | None]:
    """Yield a window, then the hops that complete the next ones, the rest, and None as the end."""
    yield sound[:window]
    for start in range(window, len(sound), hop):
        yield sound[start : start + hop]
    yield None


def peak_memory() -> float:
    """Return the peak memory of this process in megabytes."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:  # not Linux
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    # Not ru_maxrss: on Linux it begins with what the process held that started this one.
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e6


CONTENDERS: dict[str, Callable[[str, Sounds], Arrays]] = {
    "keras": keras,
    "tflite": tflite,
    "egemaps": egemaps,
}


def main(arguments: list[str]) -> None:
    name, model, sound, out = arguments
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    found = CONTENDERS[name](model, Sounds.open(Path(sound)))
    np.savez(out, peak_memory=np.array(peak_memory()), **found)  # type: ignore[arg-type]


if __name__ == "__main__":
    main(sys.argv[1:])
