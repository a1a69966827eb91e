"""Makes the weights that come with the package.

    python -m benchmarks.weights --data DIR --preset tiny --unheard RUN --out OUT

trains a preset on RAVDESS as a whole (a hundredth is left out, for a split has two parts), for the
preset's epochs: nothing is chosen by any test part. The temperature is that of another run, by
speaker, on the speakers which that run has not heard: on those it was trained on, a model is
certain of itself.

    python -m benchmarks.weights --as-it-is --preset tiny --unheard RUN --out OUT

trains nothing and takes the model of that other run itself: fewer speakers, but then what the run
says about unheard speakers is said of the very weights.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from ser_keras import model_files, pipeline, presets, training
from ser_keras.calibration import calibrate
from ser_keras.errors import ConfigurationError, SerKerasError
from ser_keras.extraction import extract_corpus, usable
from ser_keras.files import output_folder
from ser_keras.vrnn import VRNN

LEFT_OUT = 0.01


def calibrated(folder: Path) -> VRNN:
    """The model of a run by speaker, its temperature fitted on the run's own test part."""
    run = training.read_run(folder)
    model = model_files.load(folder)
    test = training.split_corpus(run)["test"]
    extraction = usable(extract_corpus(test, model.features), "the test part")
    calibrate(model, pipeline.batches(extraction, classes=model.classes))
    return model


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.weights", description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", metavar="DIR", help="RAVDESS, to train on")
    source.add_argument("--as-it-is", action="store_true", help="take the model of RUN itself")
    parser.add_argument("--preset", required=True, choices=presets.names())
    parser.add_argument("--unheard", required=True, type=Path, metavar="RUN", help="by speaker")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR")
    options = parser.parse_args(arguments)
    preset = presets.get(options.preset)
    try:
        out = output_folder(options.out)
        judged = trained = calibrated(options.unheard)
        if judged.preset != preset:
            raise ConfigurationError(
                f"{options.unheard}: found preset {judged.preset.name} with other settings, "
                f"expected {preset.name} as it is"
            )
        if not options.as_it_is:
            run = training.TrainingRun(
                corpus="ravdess",
                data=options.data,
                preset=preset,
                test_fraction=LEFT_OUT,
                validation_fraction=0.0,
            )
            trained = training.train(run, out, options.preset)
    except SerKerasError as error:
        print(f"benchmarks.weights: {error}", file=sys.stderr)
        return 1
    temperature = float(judged.cell.temperature.numpy())
    # A new model has no optimiser, which is twice the size of the weights.
    shipped = VRNN(trained.classes, trained.preset)
    shipped.set_weights(trained.get_weights())
    shipped.cell.temperature.assign(temperature)
    path = out / f"{options.preset}.keras"
    model_files.save(shipped, path)
    print(json.dumps({"weights": str(path), "temperature": temperature}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
