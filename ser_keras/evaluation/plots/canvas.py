"""The style that all figures share, and their PNG files."""

from __future__ import annotations

import functools
import io
import warnings
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure

from ser_keras.evaluation.plots.fonts import FONT, fall_back
from ser_keras.files import replacing

Arguments = ParamSpec("Arguments")
Drawn = TypeVar("Drawn")

DPI = 170
WIDTH = 5.6  # inches; with the font size below, a figure is legible on a phone
BLUE, ORANGE, GRAY = "#0072B2", "#D55E00", "#6E6E6E"  # Okabe and Ito: safe for colour-blind readers

STYLE: dict[str, Any] = {
    "font.family": FONT,
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
    "hatch.linewidth": 0.5,
}


class Colors(NamedTuple):
    """Colors of a figure on a light or a dark ground.

    Example:
        >>> colors_of(dark=True).sequential
        'gray'
    """

    ground: str
    ink: str
    accent: str
    sequential: str  # names of color maps; the ground is their lowest color
    diverging: Colormap  # the ground is in its middle


def _through(ground: str, low: str, high: str) -> Colormap:
    return LinearSegmentedColormap.from_list("through the ground", [low, ground, high])


_LIGHT = Colors("#FFFFFF", "#1C1E21", ORANGE, "Greys", _through("#FFFFFF", "#5B3A9E", "#B35806"))
_DARK = Colors("#16181B", "#E6E8EB", "#F0A070", "gray", _through("#16181B", "#9D86E0", "#F0A070"))


def colors_of(dark: bool) -> Colors:
    """Return the colors of a figure.

    Example:
        >>> colors_of(dark=False).ground
        '#FFFFFF'
    """
    return _DARK if dark else _LIGHT


def _on_dark() -> dict[str, Any]:
    ground, ink = _DARK.ground, _DARK.ink
    settings = {f"{kind}.facecolor": ground for kind in ("figure", "axes", "savefig")}
    names = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")
    return settings | dict.fromkeys(names, ink) | {"grid.color": "#3A4047"}


def styled(draw: Callable[Arguments, Drawn]) -> Callable[Arguments, Drawn]:
    """Decorate a function that draws, to use our style alone; the user's comes back afterwards.

    An argument `dark` by name makes the ground dark.

    Example:
        >>> styled(Figure)().get_facecolor()
        (1.0, 1.0, 1.0, 1.0)
    """

    @functools.wraps(draw)
    def in_our_style(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Drawn:
        with style.context(["default", STYLE, _on_dark() if kwargs.get("dark") else {}]):
            drawn = draw(*args, **kwargs)
            if isinstance(drawn, Figure):
                fall_back(drawn)
            return drawn

    return in_our_style


def panel(rows: int, height_per_row: float, height: float) -> tuple[Figure, Axes]:
    """Make a figure with one panel, tall enough for `rows` rows; heights in inches.

    Example:
        >>> figure, axes = panel(rows=4, height_per_row=0.5, height=1)
        >>> figure.get_size_inches().tolist()
        [5.6, 3.0]
    """
    figure = Figure(figsize=(WIDTH, height + height_per_row * rows), layout="constrained")
    return figure, figure.subplots()


@styled
def png(figure: Figure) -> bytes:
    """Encode a figure as PNG; fixed resolution and no metadata, so equal numbers give equal bytes.

    Example:
        >>> ser.plots.png(ser.plots.confusion_matrix([[1]], ["sad"]))[1:4]
        b'PNG'
    """
    stream = io.BytesIO()
    with warnings.catch_warnings():
        # A character that no installed font has is drawn as a box.
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from font")
        figure.savefig(stream, format="png", dpi=DPI, metadata={"Software": None})
    return stream.getvalue()


def save(figure: Figure, path: str | PathLike[str]) -> None:
    """Write a figure to a file as PNG; raises `OutputError` if that fails.

    Example:
        >>> ser.plots.save(ser.plots.confusion_matrix([[1]], ["sad"]), "figure.png")
        >>> Path("figure.png").exists()
        True
    """
    with replacing(Path(path)) as temporary:
        temporary.write_bytes(png(figure))
