"""Make the weights that come with the package, of a run that left some people out.

    ser-keras train … --split speaker --folds 9 --validation-fraction 0 --preset NAME --out RUN
    python -m benchmarks.weights RUN --out OUT

leaves `NAME.keras` in OUT: the run's model without its optimizer, which is twice its size. The
temperature is fitted on the people who were left out, since a model is overconfident about those
that it was trained on. How well it does so is told too: the calibration error of each half of
these people, with the temperature of the other half.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import scipy.special

from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import ConfigurationError, SerKerasError
from ser_keras.evaluation.metrics import calibration_error, reliability
from ser_keras.features.extraction import extract_corpus
from ser_keras.files import output_folder
from ser_keras.model import files as model_files
from ser_keras.model.vrnn import VRNN
from ser_keras.training import pipeline
from ser_keras.training.calibration import answers, best_temperature
from ser_keras.training.run import read_run, split_corpus


def people_left_out(folder: Path) -> Corpus:
    """Return the test subset of a run.

    Raises:
        ConfigurationError: the folder holds no run, or one that was trained on speakers of its
            test subset.
    """
    subsets = split_corpus(read_run(folder))
    test = subsets.pop("test")
    trained_on = {speaker for subset in subsets.values() for speaker in subset.speakers}
    if shared := sorted(trained_on.intersection(test.speakers)):
        raise ConfigurationError(
            f"{folder}: expected a run by speaker, found speakers in both subsets "
            f"({', '.join(shared)})"
        )
    return test


def error_across(logits: np.ndarray, labels: np.ndarray, speakers: Sequence[str]) -> float:
    """Compute the calibration error of temperatures fitted on other people.

    Args:
        logits: of all recordings, before any temperature, [N, C].
        labels: their classes, [N].
        speakers: of the recordings; every second one, in order, belongs to the other half.

    Returns:
        The expected calibration error over all recordings, 0 to 1.
    """
    order = {speaker: number for number, speaker in enumerate(sorted(set(speakers)))}
    half = np.array([order[speaker] % 2 for speaker in speakers])
    scaled = np.empty_like(logits)
    for here in (0, 1):
        fitted = best_temperature(logits[half != here], labels[half != here])
        scaled[half == here] = logits[half == here] / fitted
    return calibration_error(reliability(scipy.special.softmax(scaled, axis=1), labels))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.weights", description=__doc__)
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a run by speaker")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR")
    options = parser.parse_args(arguments)
    try:
        out = output_folder(options.out)
        test = people_left_out(options.run)
        trained = model_files.load(options.run)
        extraction = extract_corpus(test, trained.features, name="test subset")
        batches = pipeline.batches(extraction, classes=trained.classes)
        logits, labels = answers(trained, batches)
    except SerKerasError as error:
        print(f"benchmarks.weights: {error}", file=sys.stderr)
        return 1
    shipped = VRNN(trained.classes, trained.preset)
    shipped.set_weights(trained.get_weights())
    shipped.familiarity = trained.familiarity
    temperature = best_temperature(logits, labels)
    shipped.cell.temperature.assign(temperature)
    path = out / f"{trained.preset.name}.keras"
    model_files.save(shipped, path)
    speakers = [utterance.speaker for utterance in extraction.corpus]
    found = {
        "weights": str(path),
        "temperature": temperature,
        "calibration_error": error_across(logits, labels, speakers),
    }
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
