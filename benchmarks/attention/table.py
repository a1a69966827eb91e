"""The measurement as Markdown."""

from __future__ import annotations

from typing import Any

PARTS = {"all": "whole observation", "known": "known part", "new": "new part"}


def markdown(found: dict[str, Any]) -> str:
    """Write a row for every variation, and one for every part of the observation."""
    indexes = ", ".join(str(split_index) for split_index in found["split_indexes"])
    generation = found["generation"]
    lines = [
        f"{found['corpus']}, `{found['preset']['name']}`, {found['split']} {indexes}: "
        f"{found['utterances']} utterances of {found['speakers']} speakers; in brackets the 95 % "
        "interval over speakers",
        "",
        "| | WA % | UA % | cross-entropy, nats | sampled after the first instant % | "
        "points of WA over as it is |",
        "| --- | --- | --- | --- | --- | --- |",
        *(_variation(row) for row in found["variations"].values()),
        "",
        "| squared error | ours | training mean | copy | R² | less than the mean | "
        "less than the copy |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *(_part(PARTS[part], row) for part, row in generation["parts"].items()),
        "",
        f"{generation['latent_variables_in_use']} of {generation['latent_variables']} latent "
        f"variables in use, {generation['kl_per_instant']:.1f} nats per instant. R² by emotion: "
        + ", ".join(
            f"{emotion} {row['value']:.2f}"
            for emotion, row in generation["r_squared_by_emotion"].items()
        )
        + ".",
    ]
    return "\n".join(lines) + "\n"


def _variation(row: dict[str, Any]) -> str:
    percents = [_cell(row[key], 100, 1) for key in ("weighted_accuracy", "unweighted_accuracy")]
    return _line(
        row["title"],
        *percents,
        _cell(row["cross_entropy"], 1, 2),
        f"{100 * row['sampled_fraction']['value']:.1f}",
        _cell(row["gain_over_as_it_is"], 100, 1),
    )


def _part(title: str, row: dict[str, Any]) -> str:
    return _line(
        title,
        *(f"{row['error'][kind]['value']:.3f}" for kind in ("ours", "mean", "copy")),
        _cell(row["r_squared"], 1, 2),
        _cell(row["gain_over_mean"], 1, 3),
        _cell(row["gain_over_copy"], 1, 3),
    )


def _cell(values: dict[str, float], scale: float, digits: int) -> str:
    value, low, high = (f"{scale * values[key]:.{digits}f}" for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
