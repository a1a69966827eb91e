"""Maps of time and frequency, drawn with as many columns as a picture can show."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.image import AxesImage
from numpy.typing import ArrayLike, NDArray

from ser_keras.evaluation.plots.canvas import WIDTH

_PIXELS = 900  # columns of a picture
_FINE = 60  # with as many columns or more, a map is smoothed before it is outlined
_SHAPES_PER_INCH = 16  # outlined shapes are about as wide as their share of the picture, or wider
_ROWS = 120  # outlines follow the cells of a map with fewer

Array = NDArray[np.float64]


class Raster:
    """Draws maps whose columns may differ in length, and between which there may be gaps.

    Args:
        begin: where columns begin, in seconds, ascending, [columns].
        end: where they end.
        width: of the picture, in inches.

    Example:
        >>> raster = Raster([0.0, 1.0, 3.0], [1.0, 2.0, 4.0])  # nothing from 2 to 3 s
        >>> pixels = raster.pixels(np.array([[1.0], [2.0], [3.0]]))[:, 0]
        >>> pixels[::225].tolist()
        [1.0, 2.0, nan, 3.0]
    """

    def __init__(self, begin: ArrayLike, end: ArrayLike, width: float = WIDTH) -> None:
        self._shapes = _SHAPES_PER_INCH * width
        self._group = max(1, -(-len(np.asarray(begin)) // _PIXELS))
        self.begin = np.asarray(begin, float)[:: self._group]
        ends = np.asarray(end, float)
        self.end = np.append(ends[self._group - 1 :: self._group], ends[-1])[: len(self.begin)]

    def pixels(self, values: Array) -> Array:
        """Return values of `_PIXELS` equal stretches of time, [pixels, rows], NaN in gaps."""
        groups = np.arange(0, len(values), self._group)
        counts = np.diff(np.append(groups, len(values)))[:, np.newaxis]
        grouped = np.add.reduceat(values, groups) / counts
        time = (np.arange(_PIXELS) + 0.5) * self.end[-1] / _PIXELS
        column = np.searchsorted(self.begin, time, side="right") - 1
        return np.where((time < self.end[column])[:, np.newaxis], grouped[column], np.nan)

    def smooth(self, values: Array) -> Array:
        """Average a fine map over neighboring cells, the wider the more columns it has.

        A coarse one stays as it is.
        """
        from scipy.ndimage import gaussian_filter

        if len(values) < _FINE:
            return values
        width = max(1.0, len(values) / self._shapes), 1.0  # in columns and rows
        known = np.isfinite(values)
        weights = gaussian_filter(known.astype(float), width)
        total = gaussian_filter(np.where(known, values, 0.0), width)
        return np.where(known, total / np.maximum(weights, 1e-9), np.nan)

    def draw(
        self, axes: Axes, values: Array, colors: Colormap | str, low: float, high: float
    ) -> AxesImage:
        """Draw a map, [columns, rows], in colors from low to high; NaN is left out."""
        return axes.imshow(
            self.pixels(values).T,
            cmap=colors,
            vmin=low,
            vmax=high,
            origin="lower",
            aspect="auto",
            interpolation="nearest",
            extent=(0.0, self.end[-1], 0.0, values.shape[1]),
        )

    def outline(
        self,
        axes: Axes,
        values: Array,
        between: tuple[float, float],
        color: str,
        style: str = "-",
        hatch: str | None = None,
    ) -> None:
        """Draw a line around the cells between two limits, and perhaps hatch them."""
        pixels = self.pixels(values)
        inside = (pixels > between[0]) & (pixels < between[1])
        if not inside.any() or (inside.all() and hatch is None):
            return
        repeats = -(-_ROWS // inside.shape[1])
        chosen = np.repeat(inside, repeats, axis=1).T.astype(float)
        time = (np.arange(_PIXELS) + 0.5) * self.end[-1] / _PIXELS
        rows = (np.arange(len(chosen)) + 0.5) / repeats
        if hatch:
            filled: Any = axes.contourf(
                time, rows, chosen, levels=[0.5, 1.5], colors="none", hatches=[hatch]
            )
            filled.set_edgecolor(color)
            filled.set_linewidth(0.0)
        if not inside.all():
            axes.contour(
                time, rows, chosen, levels=[0.5], colors=color, linewidths=0.8, linestyles=style
            )
