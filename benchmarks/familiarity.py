"""Recordings unlike those that a model knows, told by its surprise: other corpora, noise, music.

    python -m benchmarks.familiarity RUN --corpus crema-d --data A --corpus nemo --data B --out OUT

compares the surprisals of the run's own test subset, people it was not trained on, with those of
recordings of other corpora and of sounds made here. The area under the curve is how often a sound
of that kind is more surprising than a test recording: 0.5 is no difference, 1 a certain one. Left
in OUT: `familiarity.json` and `familiarity.md`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.outcome import leave
from ser_keras import corpora, provenance
from ser_keras.commands import corpus_options
from ser_keras.commands import options as shared
from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import AudioError
from ser_keras.model import files as model_files
from ser_keras.recognition.instants import Instants, SoundStep
from ser_keras.sound import decoding
from ser_keras.training.run import read_run, split_corpus

SYNTHETIC = 30  # sounds of each kind
LEVEL = 0.1  # root mean square of synthetic sound, of full scale


def surprisal(step: SoundStep, samples: np.ndarray) -> float:
    """Compute the mean surprisal of a recording at the model's rate; NaN of a single instant."""
    instants = Instants(step)
    rate = step.model.features.sample_rate
    answers = [*instants.push(samples.astype(np.float32), rate), *instants.finish()]
    found = [instant.answer.surprisal for instant in answers[1:] if instant.answer is not None]
    return float(np.mean(found)) if found else float("nan")


def recordings(corpus: Corpus, rate: int, most: int) -> Iterator[np.ndarray]:
    """Decode a random choice of a corpus' recordings."""
    for index in np.random.default_rng(0).permutation(len(corpus))[:most].tolist():
        utterance = corpus[index]
        try:
            yield decoding.load(utterance.path, rate, utterance.start, utterance.end)
        except AudioError as error:
            print(f"left out: {error}", file=sys.stderr)


def sounds(rate: int) -> dict[str, list[np.ndarray]]:
    """Make three seconds of noise, of tones and of chords, several of each kind."""
    random = np.random.default_rng(0)
    time = np.arange(3 * rate) / rate
    made: dict[str, list[np.ndarray]] = {}
    for _ in range(SYNTHETIC):
        white = random.normal(size=len(time))
        spectrum = np.fft.rfft(white) / np.sqrt(np.maximum(1, np.arange(len(time) // 2 + 1)))
        tone = np.sin(2 * np.pi * random.uniform(100, 3000) * time)
        kinds = {"white noise": white, "pink noise": np.fft.irfft(spectrum, len(time))}
        kinds |= {"a tone": tone, "chords": _chords(random, time)}
        for kind, sound in kinds.items():
            made.setdefault(kind, []).append(LEVEL * sound / sound.std())
    return made


def _chords(random: np.random.Generator, time: np.ndarray) -> np.ndarray:
    """Two plucked major chords a second, each of five harmonics."""
    sound = np.zeros_like(time)
    for begin in np.arange(0.0, 3.0, 0.5):
        since = np.maximum(time - begin, 0.0)
        root = 220 * 2 ** (random.choice([0, 2, 4, 5, 7, 9, 11, 12]) / 12)
        for interval in (1.0, 1.26, 1.5):
            for harmonic in range(1, 6):
                wave = np.sin(2 * np.pi * root * interval * harmonic * since) / harmonic
                sound += (time >= begin) * np.exp(-4 * since) * wave
    return sound


def area(reference: Sequence[float], others: Sequence[float]) -> float:
    """Return how often one of the others is above one of the reference; ties count half."""
    one, other = np.asarray(reference)[np.newaxis], np.asarray(others)[:, np.newaxis]
    return float(np.mean((other > one) + 0.5 * (other == one)))


def measure(folder: Path, others: dict[str, Corpus], most: int) -> dict[str, Any]:
    """Return the content of `familiarity.json`."""
    model = model_files.load(folder)
    step, rate = SoundStep(model), model.features.sample_rate
    subsets = split_corpus(read_run(folder))
    kinds: dict[str, list[np.ndarray]] = {
        "speakers that were trained on": list(recordings(subsets["train"], rate, most)),
        **{name: list(recordings(corpus, rate, most)) for name, corpus in others.items()},
        **sounds(rate),
    }
    test = list(recordings(subsets["test"], rate, most))
    random = np.random.default_rng(0)
    kinds["the test subset, backwards"] = [sound[::-1] for sound in test]
    kinds["the test subset in white noise, 10 dB"] = [
        sound + random.normal(0, 10**-0.5 * sound.std(), len(sound)) for sound in test
    ]
    reference = _finite(step, test)
    areas = {}
    for kind, made in kinds.items():
        found = _finite(step, made)
        areas[kind] = {"sounds": len(found), "area": area(reference, found)}
        print(f"{kind}: {areas[kind]['area']:.2f}", file=sys.stderr, flush=True)
    return {
        "run": read_run(folder).to_dict(),
        "test": len(reference),
        "kinds": areas,
        "versions": provenance.versions(),
        "git": provenance.git_state(),
    }


def _finite(step: SoundStep, made: Sequence[np.ndarray]) -> list[float]:
    found = [surprisal(step, sound) for sound in made]
    return [value for value in found if np.isfinite(value)]


def markdown(found: dict[str, Any]) -> str:
    """Format the content of `familiarity.json` as a table."""
    lines = [
        f"{found['test']} recordings of the test subset of a run of "
        f"`{found['run']['preset']['name']}`",
        "",
        "| more surprising than the test subset | sounds | area under the curve |",
        "| --- | ---: | ---: |",
    ]
    lines += [
        f"| {kind} | {values['sounds']} | {values['area']:.2f} |"
        for kind, values in found["kinds"].items()
    ]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.familiarity", description=__doc__)
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a trained run")
    shared.add(parser, "corpus", "data", "out")
    parser.add_argument("--most", type=int, default=100, metavar="N", help="recordings of a kind")
    options = parser.parse_args(arguments)

    def measure_all(_: Path) -> dict[str, Any]:
        others = {name: corpora.load(name, data) for name, data in corpus_options.pairs(options)}
        return measure(options.run, others, options.most)

    return leave("familiarity", options.out, measure_all, markdown)


if __name__ == "__main__":
    sys.exit(main())
