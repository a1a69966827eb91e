"""The report of a reproduction: the paper's tables, ours beside theirs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from ser_keras.evaluation.report.page import render


def reproduction_report(
    reproduction: Mapping[str, Any],
    figures: Mapping[str, Figure],
    configuration: Mapping[str, Any] | None = None,
) -> str:
    """Report on the paper's tables, ours beside theirs, as HTML.

    Args:
        reproduction: the content of `reproduction.json`. All keys of `paper` are optional:
            `weighted_accuracy` {attention, no_attention}, `others` [{model, weighted_accuracy}],
            `sampled_fraction`, `table2` {label: fraction}, `parameters`, and `figure2` {emotion,
            most_similar, least_similar}. So is `table2_after_first`, the shares after the first
            instant by emotion.
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
