"""Make the weights that come with the package, of a run that left some people out.

    ser-keras train … --split speaker --folds 9 --validation-fraction 0 --preset NAME --out RUN
    python -m benchmarks.weights RUN --out OUT

leaves `NAME.keras` in OUT: the run's model without its optimizer, which is twice its size. The
temperature is fitted on the people who were left out, since a model is overconfident about those
that it was trained on. How well it does so is told too: the calibration error of each half of
these people, with the temperature of the other half.

A model is more overconfident still about corpora that it never met, as all that users bring are.
With `--unseen EVALUATION`, a folder that `ser-keras evaluate` left of such a corpus, the
temperature is one for both: that of the people is multiplied by the factor of least cross-entropy,
where the people left out and the corpora left out count alike. The evaluations may be another
model's, with a temperature of people left out: for want of a corpus that this one never met, one
that was trained without it. Told are the calibration errors of each such corpus with the factor
that is fitted without it, and that of the people. With `--unseen-alone EVALUATION` these people do
not count: for a model whose own answers to corpora that it never met are known. `--factor F` takes
the factor that was found for earlier weights, whose evaluations are not at hand.

A run that leaves out nobody who could tell takes `--temperature T`: that of weights which were made
in the same way but for some people left out.

With `--mean-with MODEL …`, models that one training began with or that began with it, the weights
are the mean of all of these and the run's (Wortsman et al. 2022, arXiv:2203.05482): they are often
better than each about people that none of them knows, at the cost of one.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.optimize
import scipy.special

from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import ConfigurationError, SerKerasError
from ser_keras.evaluation import results
from ser_keras.evaluation.metrics import calibration_error, reliability
from ser_keras.features.extraction import extract_corpus
from ser_keras.fields import require
from ser_keras.files import output_folder
from ser_keras.model import files as model_files
from ser_keras.model.vrnn import VRNN
from ser_keras.training import pipeline
from ser_keras.training.calibration import answers, best_temperature, cross_entropy
from ser_keras.training.familiarity import learn_familiarity
from ser_keras.training.run import read_run, split_corpus

Answers = tuple[np.ndarray, np.ndarray]  # logits, [N, C], and the classes that are right, [N]


def left_out(folder: Path, subsets: Mapping[str, Corpus]) -> Corpus:
    """Return the test subset of a run, people whom it does not know.

    Raises:
        ConfigurationError: the run was trained on speakers of its test subset.
    """
    test = subsets["test"]
    trained_on = {
        speaker for name, subset in subsets.items() if name != "test" for speaker in subset.speakers
    }
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
    return error_at(scaled, labels, 1.0)


def mean_of(models: Mapping[str, VRNN]) -> VRNN:
    """Return a model, without an optimizer, whose weights are the mean of those of `models`.

    Its preset is that of the first.

    Raises:
        ConfigurationError: a model's classes, features or architecture are not those of the first.
    """
    first, *_ = models.values()
    for name, model in models.items():
        require(
            model.classes == first.classes, f"{name}: classes", model.classes, f"{first.classes}"
        )
        same = model.features == first.features
        require(same, f"{name}: features", model.features, f"{first.features}")
        here, there = _shapes(first), _shapes(model)
        for weight in here | there:
            expected, found = here.get(weight), there.get(weight)
            require(found == expected, f"{name}: shape of {weight}", found, f"{expected}")
    mean = VRNN(first.classes, first.preset)
    columns = zip(*(model.get_weights() for model in models.values()), strict=True)
    mean.set_weights([np.mean(column, axis=0) for column in columns])
    return mean


def _shapes(model: VRNN) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a model's weights by their paths in it; its own name may differ."""
    return {weight.path.partition("/")[2]: tuple(weight.shape) for weight in model.weights}


def answers_of(evaluation: Path) -> Answers:
    """Read an evaluation's log-probabilities, [N, C], and the classes that were right, [N]."""
    rows = results.read_predictions(evaluation)
    classes = [name for name in rows[0] if name.startswith("probability_")]
    probabilities = np.array([[float(row[name]) for name in classes] for row in rows])
    labels = np.array([classes.index(f"probability_{row['emotion']}") for row in rows])
    return np.log(np.maximum(probabilities, np.finfo(np.float64).tiny)), labels


def factor_of(people: Answers | None, unseen: Sequence[Answers]) -> float:
    """Return what logits are to be divided by where people and corpora left out count alike.

    Args:
        people: logits, divided by their best temperature, and classes; None if they do not count.
        unseen: log-probabilities and classes of each corpus; of none, the factor is 1.
    """
    if not unseen:
        return 1.0

    def cost(log_factor: float) -> float:
        scale = np.exp(log_factor)
        corpora = np.mean([cross_entropy(*each, scale) for each in unseen])
        return float(corpora + (0.0 if people is None else cross_entropy(*people, scale)))

    found = scipy.optimize.minimize_scalar(cost, bounds=np.log([0.1, 10.0]), method="bounded")
    return float(np.exp(found.x))


def error_at(logits: np.ndarray, labels: np.ndarray, temperature: float) -> float:
    """Compute the expected calibration error, 0 to 1."""
    scaled = scipy.special.softmax(logits / temperature, axis=1)
    return calibration_error(reliability(scaled, labels))


def mean_with(run: Path, others: Sequence[str], subsets: Mapping[str, Corpus]) -> VRNN:
    """Return the model of a run, or the mean of it and others, that knows its training by now."""
    trained = model_files.load(run)
    shipped = mean_of({str(run): trained, **{name: model_files.load(name) for name in others}})
    shipped.familiarity = trained.familiarity
    if others:
        known = subsets.get("validation") or subsets["train"]
        extraction = extract_corpus(known, shipped.features, name="people it knows")
        learn_familiarity(shipped, pipeline.batches(extraction, classes=shipped.classes))
    return shipped


def fit_temperature(
    model: VRNN,
    test: Corpus,
    evaluations: Sequence[Path],
    alone: bool = False,
    factor: float | None = None,
) -> dict[str, Any]:
    """Fit a model's temperature anew, without setting it; return it, and how well it does.

    Args:
        model: whatever its temperature is, it does not count.
        test: people whom it does not know.
        evaluations: of corpora that count like these people.
        alone: whether these people do not count at all.
        factor: what to multiply the temperature of people by, instead of what these say.
    """
    unseen = {str(path): answers_of(path) for path in evaluations}
    extraction = extract_corpus(test, model.features, name="test subset")
    logits, labels = answers(model, pipeline.batches(extraction, classes=model.classes))
    of_people = best_temperature(logits, labels)
    counted = None if alone else (logits / of_people, labels)
    if factor is None:
        factor = factor_of(counted, list(unseen.values()))
    temperature = of_people * factor

    def factor_without(name: str) -> float:
        others = [found for other, found in unseen.items() if other != name]
        return factor_of(counted, others)

    speakers = [utterance.speaker for utterance in extraction.corpus]
    return {
        "temperature": temperature,
        "temperature_of_people": of_people,
        "calibration_error": error_across(logits, labels, speakers),
        "calibration_error_shipped": error_at(logits, labels, temperature),
        "calibration_error_unseen": {
            name: error_at(*unseen[name], factor_without(name)) for name in unseen
        },
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.weights", description=__doc__)
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a run")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR")
    parser.add_argument("--mean-with", nargs="+", default=[], metavar="MODEL")
    fitted = parser.add_mutually_exclusive_group()
    fitted.add_argument("--unseen", nargs="+", type=Path, default=[], metavar="EVALUATION")
    fitted.add_argument("--unseen-alone", nargs="+", type=Path, default=[], metavar="EVALUATION")
    fitted.add_argument("--factor", type=float, metavar="F")
    fitted.add_argument("--temperature", type=float, metavar="T")
    options = parser.parse_args(arguments)
    told = options.temperature
    try:
        require(told is None or told > 0, "--temperature", told, "more than 0")
        out = output_folder(options.out)
        subsets = split_corpus(read_run(options.run))
        test = left_out(options.run, subsets) if told is None else None
        shipped = mean_with(options.run, options.mean_with, subsets)
        if test is None:
            found = {"temperature": told}
        else:
            alone = bool(options.unseen_alone)
            unseen = options.unseen or options.unseen_alone
            found = fit_temperature(shipped, test, unseen, alone, options.factor)
    except SerKerasError as error:
        print(f"benchmarks.weights: {error}", file=sys.stderr)
        return 1
    shipped.cell.temperature.assign(found["temperature"])
    path = out / f"{shipped.preset.name}.keras"
    model_files.save(shipped, path)
    print(json.dumps({"weights": str(path), **found}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
