"""`python -m benchmarks.accuracy.figure`: accuracy against parameters, for all models measured.

    python -m benchmarks.accuracy.figure OUT/accuracy.json OUT2/accuracy.json --out accuracy.png

draws one panel for each file.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, NullFormatter

from benchmarks.accuracy.table import VRNN_ROWS, protocol
from ser_keras.errors import ConfigurationError, SerKerasError
from ser_keras.evaluation.plots import save
from ser_keras.evaluation.plots.canvas import BLUE, GRAY, ORANGE, WIDTH, styled

KEY = "unweighted_accuracy"
TITLES_APART = 2.5  # in percent: the height of a line of text
LARGE = 1_000_000  # parameters
WITH, WITHOUT = (f" {title}" for title in VRNN_ROWS.values())


@styled
def draw(measured: Sequence[dict[str, Any]]) -> Figure:
    """Draw unweighted accuracy (mean and standard deviation over splits) against parameters.

    Args:
        measured: the contents of `accuracy.json` files, one for each panel.

    Returns:
        Models with trainable parameters as points, hollow for the VRNN without attention; those
        without any as lines across.
    """
    figure = Figure(figsize=(WIDTH, 3.4 * len(measured)), layout="constrained")
    panels = figure.subplots(len(measured), sharex=True, sharey=True, squeeze=False)[:, 0]
    for axes, accuracy in zip(panels, measured, strict=True):
        ours, others = accuracy.get("vrnn", {}), accuracy["baselines"]
        _lines(axes, [row for row in others.values() if row["parameters"] is None])
        for name, row in {**others, **ours}.items():
            if row["parameters"] is not None:
                _point(axes, row, name in ours)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_title(protocol(accuracy), loc="left")
        axes.set_ylabel("unweighted accuracy (%)")
        axes.grid(axis="y")
        axes.margins(x=0.3)
    panels[-1].set_xlabel("trainable parameters (hollow: without attention)")
    return figure


def _lines(axes: Axes, rows: Sequence[dict[str, Any]]) -> None:
    """Draw lines across at the means, with their titles to the right, never one above another."""
    # x in shares of the panel, y in percent.
    beside = axes.get_yaxis_transform()
    lowest = -math.inf
    for mean, title in sorted((100 * row[KEY]["mean"], row["title"]) for row in rows):
        axes.axhline(mean, color=GRAY, linewidth=0.8, linestyle=":")
        lowest = max(mean, lowest)
        axes.text(1.01, lowest, title, transform=beside, color=GRAY, fontsize=7, va="center")
        lowest += TITLES_APART


def _point(axes: Axes, row: dict[str, Any], ours: bool) -> None:
    mean, deviation = 100 * row[KEY]["mean"], 100 * row[KEY]["std"]
    color = BLUE if ours else ORANGE
    # The ablation has the model's parameters; a hollow point beside it needs no name.
    hollow = row["title"].endswith(WITHOUT)
    axes.errorbar(
        row["parameters"],
        mean,
        deviation,
        fmt="o",
        color=color,
        markerfacecolor="white" if hollow else color,
        capsize=2,
        linewidth=1,
    )
    if not hollow:
        large = row["parameters"] > LARGE  # at the right edge, where lines have their titles
        axes.annotate(
            row["title"].removesuffix(WITH).replace("`", ""),
            (row["parameters"], mean),
            xytext=(-6, -14) if large else (6, 6),
            ha="right" if large else "left",
            textcoords="offset points",
            fontsize=8,
            color=color,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy.figure", description=__doc__.splitlines()[0]
    )
    parser.add_argument("measured", nargs="+", type=Path, metavar="ACCURACY_JSON")
    parser.add_argument("--out", required=True, type=Path, metavar="PNG")
    options = parser.parse_args(arguments)
    try:
        save(draw([_read(path) for path in options.measured]), options.out)
    except SerKerasError as error:
        print(f"benchmarks.accuracy.figure: {error}", file=sys.stderr)
        return 1
    return 0


def _read(path: Path) -> dict[str, Any]:
    try:
        accuracy: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if {"protocol", "baselines"} <= accuracy.keys():
            return accuracy
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigurationError(f"{path}: expected an accuracy.json ({error})") from error
    raise ConfigurationError(f"{path}: expected an accuracy.json, found no baselines")


if __name__ == "__main__":
    sys.exit(main())
