"""Pictures of a search: parallel coordinates of its trials, importance of its settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from ser_keras.evaluation.plots.canvas import BLUE, GRAY, ORANGE, panel, styled
from ser_keras.tuning.importance import Importance
from ser_keras.tuning.spaces import Parameter


@styled
def parallel_coordinates(
    parameters: Sequence[Parameter],
    rows: Sequence[Mapping[str, Any]],
    objective: str,
    best: int | None = None,
) -> Figure:
    """Draw a line per trial across an axis per setting, coloured by its score.

    Axes lie one below the other, so that their names can be read on a narrow page. Of the rows of a
    `TrialTable`, those without a score are left out; the best trial's line is thick.

    Example:
        >>> rows = [{"trial": 1, "latent_size": 5, "score": 0.5}]
        >>> figure = parallel_coordinates([Parameter("latent_size", (5, 10))], rows, "score")
        >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
        ['latent_size']
    """
    scored = sorted(
        (row for row in rows if row[objective] is not None),
        key=lambda row: (row["trial"] == best, row[objective]),  # the best is drawn last
    )
    scores = [100 * row[objective] for row in scored]
    figure, axes = panel(len(parameters), 0.5, 1.4)
    heights = np.arange(len(parameters))[::-1]
    colors = ScalarMappable(
        Normalize(min(scores, default=0), max(scores, default=1)), colormaps["viridis_r"]
    )
    for row, score in zip(scored, scores, strict=True):
        chosen = row["trial"] == best
        axes.plot(
            [parameter.position(row[parameter.name]) for parameter in parameters],
            heights,
            color=ORANGE if chosen else colors.to_rgba(score),
            linewidth=3.0 if chosen else 1.2,
            marker="o",
            markersize=6 if chosen else 3.5,
            clip_on=False,
        )
    for parameter, height in zip(parameters, heights, strict=True):
        axes.axhline(height, color=GRAY, linewidth=0.6, zorder=0)
        for value in parameter.extremes():
            axes.annotate(
                f"{value:g}" if isinstance(value, float) else str(value),
                (parameter.position(value), height),
                xytext=(0, -11),
                textcoords="offset points",
                ha="center",
                fontsize=7,
                color=GRAY,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
                zorder=4,
            )
    axes.set_yticks(heights, [parameter.name for parameter in parameters])
    axes.set(xlim=(-0.06, 1.06), ylim=(-0.5, len(parameters) - 0.5), xticks=[])
    axes.tick_params(length=0)
    axes.spines[["left", "bottom"]].set_visible(False)
    label = f"{objective.replace('_', ' ')} (%); the best trial in orange"
    figure.colorbar(colors, ax=axes, orientation="horizontal", label=label, aspect=40)
    return figure


@styled
def importance(results: Sequence[Importance]) -> Figure:
    """Draw a bar per setting: the share of the scores' variance that it explains, and by chance.

    Example:
        >>> figure = importance([Importance("latent_size", 0.6, 0.4)])
        >>> float(figure.axes[0].patches[0].get_width())
        60.0
    """
    figure, axes = panel(len(results), 0.32, 0.9)
    heights = np.arange(len(results))[::-1]
    explained = [100 * result.explained for result in results]
    chance = [100 * result.by_chance for result in results]
    axes.barh(heights, explained, height=0.6, color=BLUE, label="explained")
    axes.scatter(
        chance, heights, marker="|", s=160, color=ORANGE, label="by chance, 95 %", zorder=3
    )
    axes.set_yticks(heights, [result.name for result in results])
    axes.set(xlim=(0, 100), xlabel="share of the variance of the trials' scores (%)")
    axes.grid(axis="x")
    figure.legend(loc="outside lower center", ncols=2)
    return figure
