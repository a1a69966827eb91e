"""Reports as one HTML file: of an evaluation, of a reproduction of the paper's tables, of corpora.

All take the dictionaries of the result files and repeat their numbers; they compute none that a
reader could not check against the JSON beside the report.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from ser_keras.evaluation.report.page import render, write

__all__ = ["cross_corpus_report", "evaluation_report", "reproduction_report", "write"]


def evaluation_report(
    evaluation: Mapping[str, Any],
    figures: Mapping[str, Figure],
    configuration: Mapping[str, Any],
    examples: Sequence[tuple[Mapping[str, Any], Figure]] = (),
    paper: Mapping[str, Any] | None = None,
) -> str:
    """Report on one trained model and one test subset, as HTML.

    Args:
        evaluation: the content of `evaluation.json`; what earlier versions did not write, such as
            `intervals`, may be missing.
        figures: by name, as `plots.evaluation_figures` makes them.
        configuration: the run's, with the state of its source; nested dictionaries are shown flat.
        examples: recognitions (lines of `predict`), each with its explanation's picture.
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
        precisions={
            label: matrix[index][index] / recognized[index] if recognized[index] else None
            for index, label in enumerate(labels)
        },
        lacking=[label for label, row in zip(labels, matrix, strict=True) if not any(row)],
    )


def reproduction_report(
    reproduction: Mapping[str, Any],
    figures: Mapping[str, Figure],
    configuration: Mapping[str, Any] | None = None,
) -> str:
    """Report on the paper's tables, ours beside theirs, as HTML.

    Args:
        reproduction: the content of `reproduction.json`; `difference`, `table2_after_first` and any
            key of `paper` (`evaluation/paper.json` shows all) may be missing.
        figures: by name, as `plots.reproduction_figures` makes them.
        configuration: further settings, versions and the state of the source.

    Example:
        >>> accuracy = {"mean": 0.5, "std": 0.1, "runs": [0.4, 0.6]}
        >>> ours = {"weighted_accuracy": accuracy, "unweighted_accuracy": accuracy}
        >>> ours |= {"sampled_fraction": {"with_first": 0.6, "after_first": 0.4}, "parameters": 9}
        >>> reproduction = {"corpus": "ravdess", "attention": ours, "no_attention": ours}
        >>> reproduction |= {"protocol": {"split": "random"}, "paper": {}, "seconds": 60.0}
        >>> reproduction |= {"table2": {"sad": 0.6}}
        >>> reproduction |= {"figure2": {"labels": ["sad"], "similarity": [[1.0]]}}
        >>> html = ser.report.reproduction_report(reproduction, figures={})
        >>> "2 runs with attention and as many without" in html
        True
    """
    published = reproduction["paper"].get("figure2", {})
    return render(
        __package__,
        "reproduction.html",
        ours=reproduction,
        figures=figures,
        configuration=configuration or {},
        ranking=_ranking(reproduction["figure2"], published.get("emotion")),
    )


def cross_corpus_report(found: Mapping[str, Any], configuration: Mapping[str, Any]) -> str:
    """Report on several corpora, each tested by other speakers and left out, as HTML.

    Args:
        found: the content of `cross_corpus.json`.
        configuration: further settings, versions and the state of the source.

    Example:
        >>> found = {"corpora": ["tess", "savee"], "preset": "tiny", "parameters": 9}
        >>> found |= {"by_speaker": {}, "leave_one_corpus_out": {}, "seconds": 60.0}
        >>> html = ser.report.cross_corpus_report(found, {})
        >>> "A corpus left out" in html
        True
    """
    return render(__package__, "cross_corpus.html", ours=found, configuration=configuration)


def _ranking(figure2: Mapping[str, Any], emotion: str | None) -> list[str]:
    """Rank the emotions by how similar their attention is to that of `emotion`, closest first."""
    labels = figure2["labels"]
    if emotion not in labels:
        return []
    similarity = dict(zip(labels, figure2["similarity"][labels.index(emotion)], strict=True))
    others = [
        label
        for label, value in similarity.items()
        if label != emotion and value is not None and not math.isnan(value)
    ]
    return sorted(others, key=similarity.__getitem__, reverse=True)
