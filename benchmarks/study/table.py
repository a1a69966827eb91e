"""The study's one table."""

from __future__ import annotations

from typing import Any

SPLITS = {"speaker": "by speaker", "session": "by session", "random": "random"}


def markdown(study: dict[str, Any]) -> str:
    """Write a row for every variation and kind of split: percent, mean ± standard deviation."""
    lines = [
        "| | split | WA % | UA % | sampled after the first instant | calibration error | "
        "parameters | minutes of training |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for variation in study["variations"].values():
        for split, title in SPLITS.items():
            if split in variation:
                lines.append(_row(variation["title"], title, variation[split]))
    return "\n".join(lines) + "\n"


def _row(title: str, split: str, row: dict[str, Any]) -> str:
    indexes = ", ".join(str(split_index) for split_index in row["places"])
    after = row["sampled_fraction"]["after_first"]
    cells = [
        title,
        f"{split} {indexes}",
        _spread(row["weighted_accuracy"]),
        _spread(row["unweighted_accuracy"]),
        "–" if after is None else f"{100 * after:.1f} %",
        _spread(row["expected_calibration_error"]),
        f"{row['parameters']:,}",
        "–" if row["seconds"] is None else f"{row['seconds']['mean'] / 60:.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def _spread(values: dict[str, Any]) -> str:
    """Format mean ± standard deviation, or the value of a single run."""
    mean = f"{100 * values['mean']:.1f}"
    return mean if len(values["runs"]) == 1 else f"{mean} ± {100 * values['std']:.1f}"
