"""Answers by another rule beside a model's own, measured in the same way."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ser_keras.evaluation.metrics import (
    ACCURACIES,
    accuracies,
    by_group,
    calibration_error,
    confusion_matrix,
    per_class_recall,
    reliability,
)


class Rule(NamedTuple):
    """A rule of other answers, as tables name it.

    Attributes:
        mark: of its columns.
        words: what the mark means.

    Example:
        >>> RULES["among_corpus"].mark
        '*'
    """

    mark: str
    words: str


# By the field of `Evaluation` that has what was measured.
RULES = {
    "among_corpus": Rule("*", "among only the classes that the utterance's corpus has"),
    "adapted_speakers": Rule(
        "+", "each speaker known by the others of their utterances, without labels"
    ),
}


@dataclass(frozen=True)
class OtherAnswers:
    """Numbers of these answers, each as the field of `Evaluation` of that name.

    Example:
        >>> evaluation = ser.evaluate(model, corpus, among_corpus=True, progress=False)
        >>> evaluation.among_corpus.recall == evaluation.recall  # it has all classes
        True
    """

    weighted_accuracy: float
    unweighted_accuracy: float
    recall: dict[str, float]
    confusion_matrix: list[list[int]]
    expected_calibration_error: float
    by_corpus: dict[str, dict[str, float]]


def measure(
    probabilities: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    rows: Sequence[dict[str, Any]],
    column: str,
) -> OtherAnswers:
    """Measure the likeliest classes, and add them to the rows of predictions.

    Args:
        probabilities: by that rule, [N, C].
        labels: true classes, int [N].
        classes: C names.
        rows: of `predictions.csv`.
        column: of theirs that the answers are put into.

    Example:
        >>> rows, classes = [{"emotion": "calm", "predicted": "sad"}], ["calm", "sad"]
        >>> measure(np.array([[1.0, 0.0]]), np.array([0]), classes, rows, "other").recall["calm"]
        1.0
        >>> rows[0]["other"]
        'calm'
    """
    answers = probabilities.argmax(axis=1)
    for row, answer in zip(rows, answers, strict=True):
        row[column] = classes[int(answer)]
    matrix = confusion_matrix(labels, answers, len(classes))
    weighted, unweighted = accuracies(matrix)
    answered = [{"corpus": "", **row, "predicted": row[column]} for row in rows]
    return OtherAnswers(
        weighted_accuracy=weighted,
        unweighted_accuracy=unweighted,
        recall=dict(zip(classes, per_class_recall(matrix).tolist(), strict=True)),
        confusion_matrix=matrix.tolist(),
        expected_calibration_error=calibration_error(reliability(probabilities, labels)),
        by_corpus=by_group(answered, "corpus"),
    )


def tabulate(
    heading: str,
    rows: Sequence[tuple[str, Sequence[Mapping[str, float]]]],
    measured: Sequence[str],
) -> list[str]:
    """Format accuracies by a model's own answers, and then by those of each rule, as lines.

    Args:
        heading: of the first column.
        rows: name, and both accuracies by its own answers and by each of the rules.
        measured: names of the rules.

    Example:
        >>> accuracies = {"weighted_accuracy": 0.5, "unweighted_accuracy": float("nan")}
        >>> [line.split() for line in tabulate("corpus", [("tess", [accuracies])], [])]
        [['corpus', 'WA', 'UA'], ['tess', '50.0%', '–']]
    """
    rules = [RULES[name] for name in measured]
    marks = ["", *(rule.mark for rule in rules)]
    columns = "".join(f"{'WA' + mark:>8}{'UA' + mark:>8}" for mark in marks)
    lines = [f"{heading:<32}{columns}"]
    for name, found in rows:
        shown = [f"{percent(each[accuracy]):>8}" for each in found for accuracy in ACCURACIES]
        lines.append(f"{name:<32}{''.join(shown)}")
    return [*lines, *(f"{rule.mark} {rule.words}" for rule in rules)]


def percent(fraction: float) -> str:
    """Format a fraction with one decimal; NaN, of nothing that could be measured, as a dash.

    Example:
        >>> percent(0.5), percent(float("nan"))
        ('50.0%', '–')
    """
    return f"{fraction:.1%}" if math.isfinite(fraction) else "–"
