"""The report of a reproduction: the paper's tables, ours beside theirs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from ser_keras.evaluation.report.page import Markup, headline, notes, render, section, table
from ser_keras.evaluation.report.parts import (
    SHARED_SPEAKERS,
    number,
    percent,
    pictures,
    sampled_section,
    settings_section,
    similarity_section,
    spread,
)

MODELS = {"attention": "with attention", "no_attention": "without attention"}

OPEN_IN_THE_PAPER = (
    "The paper leaves open, among others, its sample rate, how the frames of a window become one "
    "vector, which random splits it used and how many, and how it chose the epoch. Our readings "
    "are listed in the README."
)


def reproduction_report(
    reproduction: Mapping[str, Any],
    figures: Mapping[str, Figure],
    configuration: Mapping[str, Any] | None = None,
) -> str:
    """The paper's tables, ours beside theirs, as HTML.

    Args:
        reproduction: what `reproduction.json` holds. Of `paper`, what there is is shown:
            `weighted_accuracy` {attention, no_attention}, `others` [{model, weighted_accuracy}],
            `sampled_fraction`, `table2` {label: fraction}, `parameters`, and `figure2` {emotion,
            most_similar, least_similar}. Shares after the first instant are shown by emotion
            where there is `table2_after_first` beside `table2`.
        figures: by name, as `plots.reproduction_figures` makes them.
        configuration: further settings, versions and the state of the source.
    """
    paper, protocol = reproduction["paper"], reproduction["protocol"]
    figure2 = reproduction["figure2"]
    sections = [
        headline(_facts(reproduction)),
        section(
            "Table 1: accuracy",
            _table_of_accuracies(reproduction),
            *pictures(figures, "accuracy"),
            notes(_remarks(reproduction)),
        ),
        sampled_section(
            "Table 2: share of the observation sampled",
            figures,
            reproduction["table2"],
            reproduction.get("table2_after_first", {}),
            paper.get("table2", {}),
        ),
        similarity_section(
            "Figure 2: similarity of attention",
            figures,
            figure2["labels"],
            figure2["similarity"],
            *_agreement(figure2, paper.get("figure2")),
        ),
        settings_section(
            {"protocol": protocol, "seconds": f"{reproduction['seconds']:.0f}"},
            configuration or {},
        ),
    ]
    runs = len(reproduction["attention"]["weighted_accuracy"]["runs"])
    return render(
        f"The paper's tables on {reproduction['corpus']}",
        f"Split {protocol['split']}; {runs} {'run' if runs == 1 else 'runs'} with attention and "
        "as many without.",
        sections,
    )


def _facts(reproduction: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    paper = reproduction["paper"]
    sampled = reproduction["attention"]["sampled_fraction"]
    accuracies = [
        (
            f"Weighted accuracy {name}",
            spread(reproduction[key]["weighted_accuracy"]),
            f"paper: {percent(paper.get('weighted_accuracy', {}).get(key))}",
        )
        for key, name in MODELS.items()
    ]
    share = (
        "Sampled, all instants",
        percent(sampled["with_first"]),
        f"paper: {percent(paper.get('sampled_fraction'))}; "
        f"ours after the first instant: {percent(sampled['after_first'])}",
    )
    return [*accuracies, share]


def _table_of_accuracies(reproduction: Mapping[str, Any]) -> Markup:
    paper = reproduction["paper"]
    claimed = f"{paper['parameters']:,}" if "parameters" in paper else "–"
    rows = []
    for key, name in MODELS.items():
        ours = reproduction[key]
        weighted = ours["weighted_accuracy"]
        runs = ", ".join(map(number, weighted["runs"]))
        unweighted = spread(ours["unweighted_accuracy"])
        rows.append(
            (f"ours, {name}", spread(weighted), unweighted, runs, f"{ours['parameters']:,}")
        )
    for key, accuracy in paper.get("weighted_accuracy", {}).items():
        rows.append((f"paper, {MODELS.get(key, key)}", percent(accuracy), "–", "–", claimed))
    for other in paper.get("others", ()):
        rows.append((other["model"], percent(other["weighted_accuracy"]), "–", "–", "–"))
    return table(
        "Accuracy on the test part, mean and standard deviation over runs (the paper's Table 1).",
        ("model", "weighted", "unweighted", "weighted, each run (%)", "parameters"),
        rows,
    )


def _remarks(reproduction: Mapping[str, Any]) -> list[str]:
    """Why our numbers and the paper's differ, as far as anybody can tell."""
    paper = reproduction["paper"]
    remarks = [SHARED_SPEAKERS] if reproduction["protocol"]["split"] == "random" else []
    if paper:
        remarks.append(OPEN_IN_THE_PAPER)
    if "parameters" in paper:
        remarks.append(
            f"The paper claims {paper['parameters']:,} parameters, which does not follow from the "
            f"sizes it gives; we count {reproduction['attention']['parameters']:,}."
        )
    return remarks


def _agreement(figure2: Mapping[str, Any], published: Mapping[str, str] | None) -> list[Markup]:
    """What the paper says in words of its Figure 2, beside what ours shows."""
    labels = figure2["labels"]
    if not published or published["emotion"] not in labels:
        return []
    emotion = published["emotion"]
    similarity = dict(zip(labels, figure2["similarity"][labels.index(emotion)], strict=True))
    others = {
        label: value
        for label, value in similarity.items()
        if label != emotion and value is not None and not math.isnan(value)
    }
    if not others:
        return []
    most, least = max(others, key=others.__getitem__), min(others, key=others.__getitem__)
    return [
        table(
            f"What the paper says of {emotion} in its Figure 2.",
            ("attention is", "ours", "paper"),
            [
                ("most similar to", most, published["most_similar"]),
                ("least similar to", least, published["least_similar"]),
            ],
            numeric=False,
        )
    ]
