"""The report of one trained model on one test subset."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from ser_keras.evaluation.report.page import render


def evaluation_report(
    evaluation: Mapping[str, Any],
    figures: Mapping[str, Figure],
    configuration: Mapping[str, Any],
    examples: Sequence[tuple[Mapping[str, Any], Figure]] = (),
    paper: Mapping[str, Any] | None = None,
) -> str:
    """Report on one trained model and one test subset, as HTML.

    Args:
        evaluation: the content of `evaluation.json`.
        figures: by name, as `plots.evaluation_figures` makes them.
        configuration: the run's, with the state of its source; nested dictionaries are shown flat.
        examples: recognitions (lines of `predict`), each with its attention heat map.
        paper: published numbers for this corpus, as `paper` of `reproduction.json`.

    Example:
        >>> evaluation = ser.evaluate(model, corpus, progress=False).to_dict()
        >>> html = ser.report.evaluation_report(evaluation, figures={}, configuration={})
        >>> "Speech emotion recognition on synthetic" in html
        True
    """
    labels, matrix = evaluation["labels"], evaluation["confusion_matrix"]
    recognized = [sum(column) for column in zip(*matrix, strict=True)]
    return render(
        __package__,
        "evaluation.html",
        evaluation=evaluation,
        figures=figures,
        configuration=configuration,
        examples=examples,
        paper=paper or {},
        interval=_wilson_interval(evaluation["weighted_accuracy"], evaluation["n_test"]),
        precisions={
            label: matrix[index][index] / recognized[index] if recognized[index] else None
            for index, label in enumerate(labels)
        },
        lacking=[label for label, row in zip(labels, matrix, strict=True) if not any(row)],
    )


def _wilson_interval(share: float, total: int, z: float = 1.96) -> tuple[float, float]:
    """Compute the interval of a share 0..1 of `total` trials (Wilson 1927); z = 1.96 gives 95 %."""
    center = share + z**2 / (2 * total)
    margin = z * math.sqrt(share * (1 - share) / total + (z / (2 * total)) ** 2)
    scale = 1 + z**2 / total
    return (center - margin) / scale, (center + margin) / scale
