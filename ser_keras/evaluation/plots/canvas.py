"""The look that all figures share, and how they become PNG files."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import wraps
from os import PathLike
from pathlib import Path
from typing import Any, ParamSpec

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ser_keras.files import replacing

Parameters = ParamSpec("Parameters")

DPI = 170
WIDTH = 5.6  # inches; with the font size below, a figure is legible on a phone
BLUE, ORANGE, GRAY = "#0072B2", "#D55E00", "#6E6E6E"  # Okabe and Ito: safe for colour-blind readers

STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same picture on every machine
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.labelsize": 10,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "text.parse_math": False,  # a label or file name may hold a dollar sign
}


def styled(draw: Callable[Parameters, Figure]) -> Callable[Parameters, Figure]:
    """Decorate `draw` to run under our style alone; the user's is as before when it returns."""

    @wraps(draw)
    def drawn(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Figure:
        with style.context(["default", STYLE]):
            return draw(*args, **kwargs)

    return drawn


def panel(rows: int, height_per_row: float, height: float) -> tuple[Figure, Axes]:
    """A figure with one panel, tall enough for `rows` rows; heights in inches."""
    figure = Figure(figsize=(WIDTH, height + height_per_row * rows), layout="constrained")
    return figure, figure.subplots()


def png(figure: Figure) -> bytes:
    """The figure as PNG; fixed resolution and no metadata, so equal numbers give equal bytes."""
    stream = io.BytesIO()
    with style.context(["default", STYLE]):
        FigureCanvasAgg(figure).print_figure(
            stream, format="png", dpi=DPI, metadata={"Software": None}
        )
    return stream.getvalue()


def save(figure: Figure, path: str | PathLike[str]) -> None:
    """Write the figure to `path` as PNG.

    Raises:
        OutputError: the file cannot be written.
    """
    content = png(figure)
    with replacing(Path(path)) as temporary:
        temporary.write_bytes(content)
