"""Losses on the way from sound to observations and back, apart from what the model expects.

    python -m benchmarks.inversion --model tiny --corpus ravdess --data DIR --out OUT

makes sound of the true observations of recordings, with the recording's own phase and with one that
Griffin and Lim's method finds, and of what the model expected. Each is compared with the recording
by log-mel distance: the mean difference of levels in decibels, over frames and bands, where
levels further than 60 dB below the recording's loudest point count as that. Frames for which
nothing was predicted are left out. Left in OUT: `inversion.json` and `inversion.md`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import ser_keras as ser
from benchmarks.outcome import leave
from ser_keras import provenance
from ser_keras.commands import corpus_options
from ser_keras.commands import options as shared
from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import AudioError
from ser_keras.evaluation.explanation import Explanation
from ser_keras.evaluation.explanation.listening import power_of
from ser_keras.features.spec import FeatureSpec
from ser_keras.model import files as model_files
from ser_keras.recognition import inversion

RANGE = 60.0  # decibels
KINDS = (
    "true observations, the recording's phase",
    "true observations, Griffin and Lim's phase",
    "what the model expected, the recording's phase",
)


def log_mel(samples: np.ndarray, spec: FeatureSpec, loudest: float | None = None) -> np.ndarray:
    """Compute the level of every frame and band by librosa, [frames, bands] in decibels."""
    import librosa

    power = librosa.feature.melspectrogram(
        y=samples, sr=spec.sample_rate, n_fft=spec.fft_size, hop_length=spec.frame_hop,
        n_mels=spec.mel_bands,
    )  # fmt: skip
    levels = librosa.power_to_db(power, ref=1.0, top_db=None).T
    return np.maximum(levels, (levels.max() if loudest is None else loudest) - RANGE)


def distances(explanation: Explanation) -> list[float]:
    """Measure the log-mel distance of each of `KINDS` from a recording; NaN of a single window."""
    spec, maps, samples = explanation.model.features, explanation.maps, explanation.samples
    column = inversion.frames_of(maps.begin, maps.end, len(samples), spec)
    predicted = (column >= 0) & np.isfinite(maps.expected[:, 0])[column]
    true = log_mel(samples, spec)

    def distance(made: np.ndarray) -> float:
        found = log_mel(made, spec, loudest=float(true.max()))
        frames = min(len(found), len(true))
        apart = np.abs(found[:frames] - true[:frames])[predicted[:frames]]
        return float(apart.mean()) if apart.size else float("nan")

    power = power_of(explanation.model, maps, maps.came)
    came = np.where(column[:, np.newaxis] < 0, 0.0, power[column])
    return [
        distance(inversion.sound(came, spec, phase_of=samples)),
        distance(inversion.sound(came, spec)),
        distance(explanation.sounds["expected"]),
    ]


def measure(models: Sequence[str], corpus: Corpus, most: int) -> dict[str, Any]:
    """Return the content of `inversion.json`."""
    chosen = np.random.default_rng(0).permutation(len(corpus))[:most].tolist()
    found: dict[str, Any] = {}
    for name in models:
        model, rows = model_files.load(name), []
        for index in chosen:
            utterance = corpus[index]
            try:
                explanation = ser.explain(
                    model, utterance.path, start=utterance.start, end=utterance.end
                )
            except AudioError as error:
                print(f"left out: {error}", file=sys.stderr)
                continue
            rows.append(distances(explanation))
        finite = np.array(rows)[np.isfinite(rows).all(axis=1)]
        means = dict(zip(KINDS, finite.mean(axis=0).tolist(), strict=True))
        found[name] = {"recordings": len(finite), "distance": means}
    return {
        "corpus": corpus.name,
        "models": found,
        "versions": provenance.versions(),
        "git": provenance.git_state(),
    }


def markdown(found: dict[str, Any]) -> str:
    """Format the content of `inversion.json` as a table."""
    lines = [
        f"Log-mel distance from the recording in dB, recordings of {found['corpus']}",
        "",
        "| | " + " | ".join(found["models"]) + " |",
        "| --- |" + " ---: |" * len(found["models"]),
    ]
    for kind in KINDS:
        cells = [f"{model['distance'][kind]:.2f}" for model in found["models"].values()]
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    counts = [str(model["recordings"]) for model in found["models"].values()]
    return "\n".join([*lines, "| recordings | " + " | ".join(counts) + " |"]) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inversion", description=__doc__)
    parser.add_argument("--model", required=True, action="append", metavar="MODEL")
    shared.add(parser, "corpus", "data", "out")
    parser.add_argument("--most", type=int, default=20, metavar="N", help="recordings")
    options = parser.parse_args(arguments)

    def measure_all(_: Path) -> dict[str, Any]:
        ((name, data),) = corpus_options.pairs(options)
        return measure(options.model, ser.corpora.load(name, data), options.most)

    return leave("inversion", options.out, measure_all, markdown)


if __name__ == "__main__":
    sys.exit(main())
