"""Make the weights that come with the package.

    python -m benchmarks.weights --data DIR --preset tiny --by-speaker RUN RUN2 … --out OUT

trains a preset on RAVDESS as a whole (a hundredth is left out, for a split needs a test subset),
for the preset's epochs: nothing is chosen by any test subset. The temperature is fitted on the
predictions of other runs of the preset for speakers unseen in training: a model is overconfident
about those that it was trained on.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ser_keras.errors import ConfigurationError, SerKerasError
from ser_keras.features.extraction import extract_corpus
from ser_keras.files import output_folder
from ser_keras.model import files as model_files
from ser_keras.model import presets
from ser_keras.model.settings import Preset
from ser_keras.model.vrnn import VRNN
from ser_keras.training import pipeline
from ser_keras.training import run as training
from ser_keras.training.calibration import answers, best_temperature
from ser_keras.training.train import train

LEFT_OUT = 0.01


def unseen_speakers(folder: Path, preset: Preset) -> tuple[np.ndarray, np.ndarray]:
    """Predict the test subset of a run by speaker with the run's model.

    Returns:
        Logits before any temperature, [N, C], and labels, [N].

    Raises:
        ConfigurationError: the folder holds no run, one of another preset, or one that was
            trained on speakers of its test subset.
    """
    run = training.read_run(folder)
    if run.preset != preset:
        raise ConfigurationError(
            f"{folder}: expected preset {preset.name} as it is, found {run.preset.name} with other "
            "settings"
        )
    subsets = training.split_corpus(run)
    test = subsets.pop("test")
    seen = {speaker for subset in subsets.values() for speaker in subset.speakers}
    if shared := sorted(seen.intersection(test.speakers)):
        raise ConfigurationError(
            f"{folder}: expected a run by speaker, found speakers in both subsets "
            f"({', '.join(shared)})"
        )
    model = model_files.load(folder)
    extraction = extract_corpus(test, model.features, name="test subset")
    return answers(model, pipeline.batches(extraction, classes=model.classes))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.weights", description=__doc__)
    parser.add_argument("--data", required=True, metavar="DIR", help="RAVDESS, to train on")
    parser.add_argument("--preset", required=True, choices=presets.names())
    parser.add_argument(
        "--by-speaker", required=True, nargs="+", type=Path, metavar="RUN", help="runs by speaker"
    )
    parser.add_argument("--out", required=True, type=Path, metavar="DIR")
    options = parser.parse_args(arguments)
    preset = presets.get(options.preset)
    run = training.TrainingRun(
        corpus="ravdess",
        data=options.data,
        preset=preset,
        test_fraction=LEFT_OUT,
        validation_fraction=0.0,
    )
    try:
        out = output_folder(options.out)
        judged = [unseen_speakers(folder, preset) for folder in options.by_speaker]
        logits, labels = (np.concatenate(arrays) for arrays in zip(*judged, strict=True))
        trained = train(run, out, options.preset)
    except SerKerasError as error:
        print(f"benchmarks.weights: {error}", file=sys.stderr)
        return 1
    temperature = best_temperature(logits, labels)
    # A new model has no optimiser, which is twice the size of the weights.
    shipped = VRNN(trained.classes, trained.preset)
    shipped.set_weights(trained.get_weights())
    shipped.familiarity = trained.familiarity
    shipped.cell.temperature.assign(temperature)
    path = out / f"{options.preset}.keras"
    model_files.save(shipped, path)
    print(json.dumps({"weights": str(path), "temperature": temperature}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
