"""The report of one trained model on one test part."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from ser_keras.evaluation.report.page import (
    Markup,
    headline,
    notes,
    picture,
    render,
    section,
    table,
)
from ser_keras.evaluation.report.parts import (
    SHARED_SPEAKERS,
    number,
    percent,
    pictures,
    sampled_section,
    settings_section,
    similarity_section,
)

SHOWN_WITH_THEIR_TABLES = ("confusion_matrix", "sampled_fraction", "attention_similarity")


def evaluation_report(
    evaluation: Mapping[str, Any],
    figures: Mapping[str, Figure],
    configuration: Mapping[str, Any],
    examples: Sequence[tuple[Mapping[str, Any], Figure]] = (),
    paper: Mapping[str, Any] | None = None,
) -> str:
    """The report of one trained model on one test part, as HTML.

    Args:
        evaluation: what `evaluation.json` holds.
        figures: by name, as `plots.evaluation_figures` makes them.
        configuration: the run's, with the state of its source; nested dictionaries are shown flat.
        examples: recognitions (lines of `predict`), each with its attention heat map.
        paper: published numbers for this corpus, as `paper` of `reproduction.json`.
    """
    sampled = evaluation["sampled_fraction"]
    recognition = section(
        "Recognition by emotion",
        _table_of_emotions(evaluation),
        *pictures(figures, "confusion_matrix"),
        notes(_limits(evaluation)),
    )
    attention = sampled_section(
        "Share of the observation sampled",
        figures,
        sampled["per_emotion"],
        sampled["per_emotion_after_first"],
        (paper or {}).get("table2", {}),
    )
    similarity = similarity_section(
        "Similarity of attention",
        figures,
        evaluation["labels"],
        evaluation["attention_similarity"],
    )
    sections = [headline(_facts(evaluation)), recognition, attention, similarity]
    if examples:
        sections.append(section("Examples", *(_example(*example) for example in examples)))
    training = [name for name in figures if name not in SHOWN_WITH_THEIR_TABLES]
    if training:
        sections.append(section("Training", *pictures(figures, *training)))
    terms = {
        "negative log-likelihood per instant (nats)": _nats(evaluation["nll_per_instant"]),
        "KL divergence per instant (nats)": _nats(evaluation["kl_per_instant"]),
    }
    sections.append(settings_section(terms, configuration, {"versions": evaluation["versions"]}))
    attended = "with attention" if evaluation["attention"] else "without attention"
    return render(
        f"Speech emotion recognition on {evaluation['corpus']}",
        f"Preset {evaluation['preset']}, {attended}; split {evaluation['split']}, "
        f"seed {evaluation['seed']}.",
        sections,
    )


def wilson_interval(share: float, total: int, z: float = 1.96) -> tuple[float, float]:
    """Interval of a share 0..1 of `total` trials by Wilson (1927); z = 1.96 gives 95 %."""
    center = share + z**2 / (2 * total)
    margin = z * math.sqrt(share * (1 - share) / total + (z / (2 * total)) ** 2)
    scale = 1 + z**2 / total
    return (center - margin) / scale, (center + margin) / scale


def _nats(term: float | None) -> str:
    """A term of the objective, or a dash where nothing was predicted or the model has diverged."""
    return "–" if term is None else f"{term:.3f}"


def _facts(evaluation: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    accuracy, tested = evaluation["weighted_accuracy"], evaluation["n_test"]
    low, high = wilson_interval(accuracy, tested)
    sampled = evaluation["sampled_fraction"]
    classes = len(evaluation["labels"])
    heard = sum(any(row) for row in evaluation["confusion_matrix"])
    return [
        (
            "Weighted accuracy",
            percent(accuracy),
            f"of {tested} utterances; 95\u00a0% interval {number(low)} to {percent(high)}",
        ),
        (
            "Unweighted accuracy",
            percent(evaluation["unweighted_accuracy"]),
            f"mean recall of {heard} emotions; by chance {percent(1 / classes)}",
        ),
        (
            "Sampled after the first instant",
            percent(sampled["after_first"]),
            f"{percent(sampled['with_first'])} with the first, which samples everything",
        ),
        ("Parameters", f"{evaluation['parameters']:,}", f"preset {evaluation['preset']}"),
    ]


def _table_of_emotions(evaluation: Mapping[str, Any]) -> Markup:
    matrix = evaluation["confusion_matrix"]
    rows = []
    for index, label in enumerate(evaluation["labels"]):
        recognized = sum(row[index] for row in matrix)
        precision = matrix[index][index] / recognized if recognized else None
        recall = evaluation["recall"].get(label)
        rows.append((label, sum(matrix[index]), number(recall), number(precision)))
    return table(
        "Recall: of the utterances of an emotion, those recognised. Precision: of those "
        "recognised as an emotion, those that are.",
        ("emotion", "utterances", "recall (%)", "precision (%)"),
        rows,
    )


def _limits(evaluation: Mapping[str, Any]) -> list[str]:
    """What a reader must know before quoting the accuracy."""
    remarks = [SHARED_SPEAKERS] if evaluation["split"] == "random" else []
    remarks.append(
        "The interval takes utterances to be independent. Those of one speaker are not, so that "
        "the true uncertainty is larger."
    )
    if evaluation["n_skipped_short"]:
        remarks.append(
            "Shorter than one window and left out, as in the paper: "
            f"{evaluation['n_skipped_short']} of the test part."
        )
    if unknown := evaluation.get("n_unknown_emotion", 0):
        remarks.append(
            "Of an emotion that is not a class of the model and left out: "
            f"{unknown} of the test part."
        )
    lacking = [
        label
        for label, row in zip(evaluation["labels"], evaluation["confusion_matrix"], strict=True)
        if not any(row)
    ]
    if lacking:
        remarks.append(
            f"Not in the test part: {', '.join(lacking)}. Such an answer counts as wrong, and "
            "unweighted accuracy is the mean recall of the other emotions."
        )
    return remarks


def _example(recognition: Mapping[str, Any], figure: Figure) -> Markup:
    emotion = recognition["emotion"]
    caption = (
        f"{recognition['file']}: {emotion}, {percent(recognition['probabilities'][emotion])}. "
        "Coloured cells were sampled, grey ones replaced by the model's prediction; the share "
        "sampled stands above."
    )
    course = "; ".join(
        f"at {instant['time']:g} s {instant['emotion']}, {percent(instant['sampled_fraction'])} "
        "sampled"
        for instant in recognition["instants"]
    )
    return picture(figure, caption, f"Waveform, saliency and probabilities over time: {course}.")
