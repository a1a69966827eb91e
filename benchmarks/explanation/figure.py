"""The curves as a figure."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from benchmarks.explanation.curves import ORDERS, UNITS, WAYS
from benchmarks.explanation.table import TITLES, UNIT_TITLES
from ser_keras.evaluation.plots.canvas import BLUE, GRAY, ORANGE, WIDTH, styled

STYLES = {"surprise": (ORANGE, "-", "o"), "random": (GRAY, "--", "s"), "energy": (BLUE, ":", "^")}
SHOWN = {"deletion": "replaced by predictions (%)", "insertion": "heard, all else predicted (%)"}


@styled
def draw(found: dict[str, Any]) -> Figure:
    """Draw the probability of the model's own answer over shares, a panel for each way and unit."""
    figure = Figure(figsize=(WIDTH, 6.0), layout="constrained")
    panels = figure.subplots(2, 2, sharey="row", sharex=True)
    for row, way in zip(panels, WAYS, strict=True):
        for axes, unit in zip(row, UNITS, strict=True):
            for order in ORDERS:
                points = found["curves"][way][unit][order]
                color, line, marker = STYLES[order]
                shares = [100 * point["share"] for point in points]
                value, low, high = (
                    [100 * point["probability"][name] for point in points]
                    for name in ("value", "low", "high")
                )
                axes.plot(shares, value, line, color=color, marker=marker, label=TITLES[order])
                axes.fill_between(shares, low, high, color=color, alpha=0.15, linewidth=0)
            axes.set_title(UNIT_TITLES[unit], loc="left")
            axes.set_xlabel(SHOWN[way])
            axes.grid(axis="y")
        row[0].set_ylabel("probability of the answer (%)")
    panels[0, 0].legend()
    return figure
