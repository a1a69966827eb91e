"""What both reports share: how numbers are written, remarks, tables and figures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from ser_keras.evaluation.report.page import Markup, notes, picture, section, table

SHARED_SPEAKERS = (
    "This is a random split: the same speakers are in the training and in the test part. The "
    "accuracy says little about a voice that the model has not heard; a split by speaker does."
)
WHY_SAMPLED_TWICE = (
    "The first instant has no prediction to compare with and samples everything. The paper does "
    "not say whether it counts. Most utterances have few instants, so that it makes a large "
    "difference, and both shares are given."
)
GAUSSIAN_ERROR = (
    "For orientation: a Gaussian prediction error exceeds its own mean absolute value in 42.5 % of "
    "the cases, whatever the emotion."
)

# By name of a figure: its caption, and where its numbers are for who cannot see it.
FIGURES = {
    "accuracy": (
        "Weighted accuracy of every run of ours, and published numbers.",
        "Dots along an axis of accuracy; the numbers are those of the table.",
    ),
    "confusion_matrix": (
        "Confusion matrix: utterances, coloured by their share of the true emotion.",
        "Matrix of true by recognised emotion; the table has recall and precision.",
    ),
    "learning_curves": (
        "Learning curves by epoch. Dropout is on in training and off in validation.",
        "One curve for training and one for validation in a panel for each quantity.",
    ),
    "sampled_fraction": (
        "Share of the observation that the model sampled, by emotion.",
        "Dots along an axis of shares; the numbers are those of the table.",
    ),
}


def percent(fraction: float | None) -> str:
    """A fraction 0..1 as "66.7 %", or a dash where there is none."""
    text = number(fraction)
    return text if text == "–" else f"{text}\N{NO-BREAK SPACE}%"


def number(fraction: float | None) -> str:
    """A fraction 0..1 in percent without the sign, for a column that names its unit."""
    return "–" if fraction is None or math.isnan(fraction) else f"{100 * fraction:.1f}"


def spread(accuracy: Mapping[str, Any]) -> str:
    """{mean, std, runs} as "66.7 ± 2.0 %"; the value alone where there is a single run."""
    if len(accuracy["runs"]) < 2:
        return percent(accuracy["mean"])
    return (
        f"{number(accuracy['mean'])}\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}{percent(accuracy['std'])}"
    )


def pictures(figures: Mapping[str, Figure], *names: str) -> list[Markup]:
    """Those of the named figures that there are, each with its caption."""
    found = [(name, figures[name]) for name in names if name in figures]
    return [
        picture(figure, *FIGURES.get(name, (name.replace("_", " "), name.replace("_", " "))))
        for name, figure in found
    ]


def sampled_section(
    heading: str,
    figures: Mapping[str, Figure],
    with_first: Mapping[str, float],
    after_first: Mapping[str, float],
    published: Mapping[str, float],
) -> Markup:
    """The paper's Table 2: fractions 0..1 of the observation that were sampled, by emotion."""
    columns = {
        "ours, all instants (%)": with_first,
        "ours, after the first (%)": after_first,
        "paper (%)": published,
    }
    columns = {name: shares for name, shares in columns.items() if shares}
    labels = dict.fromkeys(label for shares in columns.values() for label in shares)
    rows = ([label, *(number(s.get(label)) for s in columns.values())] for label in labels)
    return section(
        heading,
        table(
            "Share of the observation sampled, by emotion (the paper's Table 2).",
            ["emotion", *columns],
            rows,
        ),
        *pictures(figures, "sampled_fraction"),
        notes([WHY_SAMPLED_TWICE, GAUSSIAN_ERROR]),
    )


def similarity_section(
    heading: str,
    figures: Mapping[str, Figure],
    labels: Sequence[str],
    similarity: Sequence[Sequence[float | None]],
    *more: Markup,
) -> Markup:
    """The paper's Figure 2, and in words which emotions are attended to most and least alike."""
    pairs = {
        f"{labels[row]} and {labels[column]}": value
        for row in range(len(labels))
        for column in range(row)
        if (value := similarity[row][column]) is not None and not math.isnan(value)
    }
    caption = "Similarity of the mean attention of each pair of emotions, as the paper's Figure 2."
    if pairs:
        most, least = max(pairs, key=pairs.__getitem__), min(pairs, key=pairs.__getitem__)
        caption += f" Most alike: {most} ({pairs[most]:.3f}); least: {least} ({pairs[least]:.3f})."
    alternative = "; ".join(f"{pair} {value:.3f}" for pair, value in pairs.items())
    shown = [figures[name] for name in ("attention_similarity",) if name in figures]
    return section(heading, *(picture(figure, caption, alternative) for figure in shown), *more)


def settings_section(*groups: Mapping[str, Any]) -> Markup:
    """Settings and versions, nested dictionaries shown flat."""
    rows = [row for group in groups for row in _flat(group)]
    return section(
        "Configuration and versions",
        table("What it takes to repeat this.", ("setting", "value"), rows, numeric=False),
    )


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    """Names and values of nested dictionaries, names joined by points."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif isinstance(value, (list, tuple)):
            yield f"{prefix}{key}", ", ".join(map(str, value))
        else:
            yield f"{prefix}{key}", str(value)
