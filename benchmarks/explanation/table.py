"""The curves as a table."""

from __future__ import annotations

from typing import Any

from benchmarks.explanation.curves import ORDERS, UNITS, WAYS

TITLES = {"surprise": "most surprising", "random": "random", "energy": "loudest"}
UNIT_TITLES = {"cells": "cells", "instants": "whole instants"}
WAY_TITLES = {
    "deletion": "replaced by the model's own predictions",
    "insertion": "heard, and all else after the first window predicted",
}


def markdown(found: dict[str, Any]) -> str:
    """Format the content of `explanation.json`: a table for each way and unit."""
    lines = [
        f"{found['recordings']} recordings of {found['speakers']} speakers that "
        f"`{found['preset']['name']}` was not trained on. In each cell: the probability of the "
        "model's own answer, and the accuracy, in %, with 95 % intervals over speakers.",
    ]
    for way in WAYS:
        for unit in UNITS:
            lines += ["", f"{UNIT_TITLES[unit]} {WAY_TITLES[way]}", ""]
            lines += _table(found["curves"][way][unit])
    return "\n".join(lines) + "\n"


def _table(curves: dict[str, Any]) -> list[str]:
    header = [f"{TITLES[order]}: {what}" for order in ORDERS for what in ("answer", "accuracy")]
    lines = [f"| share | {' | '.join(header)} |", f"| ---: |{' ---: |' * len(header)}"]
    for points in zip(*(curves[order] for order in ORDERS), strict=True):
        cells = [_text(point[what]) for point in points for what in ("probability", "accuracy")]
        lines.append(f"| {100 * points[0]['share']:g} % | {' | '.join(cells)} |")
    return lines


def _text(value: dict[str, float]) -> str:
    low, high = 100 * value["low"], 100 * value["high"]
    return f"{100 * value['value']:.1f} ({low:.1f}–{high:.1f})"
