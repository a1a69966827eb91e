"""`python -m benchmarks.edge.endless`: a day of sound through the recogniser and the TFLite runner.

One phrase again and again. After every minute of sound memory is read, and every answer is held
to the one that the same stretch of the phrase had a repetition before. At the end the recogniser is
reset and must answer the phrase as at the very beginning. Each contender is a process of its own;
how long it takes changes no result, so the machine may do other work meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.edge.contenders import ROOT, load_runner

CHUNK = 4096  # samples pushed at once: a fifth of a second
SETTLED = 60.0  # seconds of sound after which memory must not grow

Instants = list[dict[str, Any]]


class Contender:
    """The interface that both programs share: a rate, a hop in samples, push, reset and a state."""

    def __init__(self, kind: str, model: str) -> None:
        if kind == "keras":
            from ser_keras import StreamingRecognizer

            recognizer = StreamingRecognizer(model)
            spec = recognizer.model.features
            self.rate, self.hop = spec.sample_rate, spec.hop_length
            self.state: Callable[[], Sequence[Any]] = lambda: recognizer._recording._states
        else:
            recognizer = load_runner().Runner(model)
            self.rate, self.hop = recognizer.sample_rate, recognizer._hop
            self.state = lambda: [recognizer._state]
        self.reset = recognizer.reset
        self._push = recognizer.push

    def push(self, samples: np.ndarray) -> Instants:
        """Return the instants that these samples complete."""
        return [
            instant
            for start in range(0, len(samples), CHUNK)
            for instant in self._push(samples[start : start + CHUNK])
        ]


def stream(contender: Contender, phrase: np.ndarray, hours: float) -> dict[str, Any]:
    """Push a phrase again and again, for so many hours of sound.

    Args:
        contender: the program.
        phrase: as long as a whole number of hops, so that every repetition has the same windows.
        hours: of sound.

    Returns:
        memory: megabytes {after_first_minute, most, growth}; answers: {instants, finite,
        largest_change, the most that a probability differed from the repetition before, at any
        time after the first minute, and settled_after, seconds of sound after which no answer
        differed by more than 1e-5; as_at_first, whether it answers the same once reset};
        seconds: of the clock.
    """
    hops = len(phrase) // contender.hop
    repetitions = max(3, round(hours * 3600 * contender.rate / len(phrase)))
    each = len(phrase) / contender.rate
    began = time.monotonic()
    first = [_numbers(instant) for instant in contender.push(phrase)]
    previous: np.ndarray | None = None
    memory: list[int] = []
    largest, settled, finite, instants = 0.0, 0.0, True, len(first)
    minute = 0
    for repetition in range(1, repetitions):
        answers = np.array([_numbers(instant) for instant in contender.push(phrase)])
        instants += len(answers)
        finite = finite and bool(np.isfinite(answers).all())
        elapsed = (repetition + 1) * each
        assert len(answers) == hops
        if previous is not None:
            change = float(np.abs(answers - previous).max())
            settled = elapsed if change > 1e-5 else settled
            largest = max(largest, change) if elapsed > SETTLED else largest
        previous = answers
        if elapsed // 60 > minute:
            minute = int(elapsed // 60)
            memory.append(resident())
            finite = finite and all(np.isfinite(array).all() for array in contender.state())
            if minute % 60 == 0:
                print(f"{minute // 60} h: {memory[-1] / 1e6:.2f} MB", file=sys.stderr, flush=True)
    contender.reset()
    again = [_numbers(instant) for instant in contender.push(phrase)]
    return {
        "hours": repetitions * each / 3600,
        "memory": {
            "after_first_minute": memory[0] / 1e6 if memory else None,
            "most": max(memory) / 1e6 if memory else None,
            "growth": (max(memory) - memory[0]) / 1e6 if memory else None,
        },
        "answers": {
            "instants": instants,
            "finite": finite,
            "largest_change": largest,
            "settled_after": settled,
            "as_at_first": again == first,
        },
        "seconds": time.monotonic() - began,
    }


def _numbers(instant: dict[str, Any]) -> list[float]:
    return list(instant["probabilities"].values())


def resident() -> int:
    """Return the memory that this process holds now, in bytes; Linux only."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="folder of a trained run")
    parser.add_argument("--phrase", type=Path, required=True, help="a recording to repeat")
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--out", type=Path, default=Path("endless.json"))
    parser.add_argument("--only", choices=("keras", "tflite"))
    parser.add_argument("--contender", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.contender:
        kind, model, phrase = options.contender
        print(json.dumps(stream(Contender(kind, model), np.load(phrase), options.hours)))
        return
    options.out.parent.mkdir(parents=True, exist_ok=True)
    results = _all(options)
    options.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    for name, found in results.items():
        print(summary(name, found))


def summary(name: str, found: dict[str, Any]) -> str:
    """Summarize in one line."""
    memory, answers = found["memory"], found["answers"]
    return (
        f"{name}: {found['hours']:.1f} h of sound, memory {memory['most']:.1f} MB, grew by "
        f"{memory['growth']:.2f} MB after the first minute; {answers['instants']} answers, "
        f"{'all' if answers['finite'] else 'NOT all'} finite, changing by at most "
        f"{answers['largest_change']:.0e}, {'the same' if answers['as_at_first'] else 'OTHERS'} "
        f"after a reset; took {found['seconds'] / 60:.1f} minutes"
    )


def _all(options: argparse.Namespace) -> dict[str, Any]:
    from ser_keras import export
    from ser_keras.model import files as model_files
    from ser_keras.sound import decoding

    model = model_files.load(options.run)
    spec = model.features
    sound = decoding.load(options.phrase, spec.sample_rate)
    hops = max(1, len(sound) // spec.hop_length)
    # Whole hops, and at least a window.
    repeats = -(-spec.window_length // (hops * spec.hop_length))
    phrase = np.tile(np.resize(sound, hops * spec.hop_length), repeats)
    folder = options.out.resolve().parent
    np.save(folder / "phrase.npy", phrase)
    files = {
        "keras": options.run.resolve() / "model.keras",
        "tflite": export.tflite(model, folder / "endless.tflite"),
    }
    results = {}
    for kind in [options.only] if options.only else list(files):
        words = ["--contender", kind, str(files[kind]), str(folder / "phrase.npy")]
        command = [sys.executable, "-m", "benchmarks.edge.endless", str(options.run.resolve())]
        command += ["--phrase", "-", "--hours", str(options.hours), *words]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
            stdout=subprocess.PIPE,
            check=True,
        )
        results[kind] = json.loads(done.stdout)
    return results


if __name__ == "__main__":
    main()
