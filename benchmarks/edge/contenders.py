"""The programs that are measured, each a process of its own on one core.

    python -m benchmarks.edge.contenders tflite MODEL.tflite SOUND OUT.npz
    python -m benchmarks.edge.contenders keras MODEL.keras SOUND OUT.npz
    python -m benchmarks.edge.contenders egemaps - SOUND OUT.npz

A process loads its model, recognises the first recordings to be warm, then all: in pieces of which
each completes one instant, and whose answer is timed. What it measured goes into an .npz file. It
imports only what it needs: TensorFlow does not bear openSMILE, and would count as memory of TFLite.
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

# Hears the next samples, or the end if None, and gives the instants that they complete.
Hear = Callable[[Any], Iterable[dict[str, Any]]]
Arrays = dict[str, np.ndarray]


def load_runner() -> Any:
    """The copyable runner as a module of its own, as who copied it has it: without ser_keras."""
    spec = util.spec_from_file_location("runner", ROOT / "export" / "runner.py")
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tflite(model: str, sounds: Sounds) -> Arrays:
    """The runner, one thread."""
    runner = load_runner().Runner(model)

    def hear(samples: np.ndarray | None) -> Iterable[dict[str, Any]]:
        return runner.finish() if samples is None else runner.push(samples)

    lengths = runner._window.shape[1], runner._hop
    return _stream(hear, runner.reset, lengths, sounds)


def keras(model: str, sounds: Sounds) -> Arrays:
    """`StreamingRecognizer`, one thread; and what `Recognizer` says of whole recordings."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    from ser_keras import Recognizer, StreamingRecognizer

    recognizer = StreamingRecognizer(model)
    spec = recognizer.model.features

    def hear(samples: np.ndarray | None) -> Iterable[dict[str, Any]]:
        return recognizer.finish() if samples is None else recognizer.push(samples)

    found = _stream(hear, recognizer.reset, (spec.window_length, spec.hop_length), sounds)
    whole = Recognizer(recognizer.model)
    answers = [whole.recognize_samples(sound)["probabilities"] for sound in sounds]
    return found | {"whole": np.array([list(answer.values()) for answer in answers])}


def egemaps(_: str, sounds: Sounds) -> Arrays:
    """OpenSMILE's eGeMAPSv02 functionals, once for each whole recording: the least it can do."""
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
    hear: Hear, reset: Callable[[], None], lengths: tuple[int, int], sounds: Sounds
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
        for piece in _pieces(sound, *lengths):
            start, used = time.perf_counter(), time.process_time()
            instants = list(hear(piece))
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


def _pieces(sound: np.ndarray, window: int, hop: int) -> Iterator[np.ndarray | None]:
    """A window, then as much at a time as makes the next one full; the rest; the end, None."""
    yield sound[:window]
    for start in range(window, len(sound), hop):
        yield sound[start : start + hop]
    yield None


def peak_memory() -> float:
    """Megabytes that this process held at most."""
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
