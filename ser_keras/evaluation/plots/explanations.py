"""An explanation as one picture: the sound, its expectation, the emotions, and what moved them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ser_keras.evaluation.plots.canvas import GRAY, WIDTH, colors_of, styled
from ser_keras.evaluation.plots.raster import Raster

if TYPE_CHECKING:
    from ser_keras.evaluation.explanation import Explanation
    from ser_keras.evaluation.explanation.maps import Maps
    from ser_keras.evaluation.explanation.moments import Moment

Array = NDArray[Any]

_ENVELOPE_COLUMNS = 1500  # more points of a waveform than the picture has pixels show nothing
_BELIEVED_BELOW = 0.25  # share of windows that sampled a cell, averaged over its neighbors
_SURPRISING = 10.0, 1.0  # a difference that is outlined, in decibels and in standard deviations
_FARTHEST = 2.5  # standard deviations
_DASHES = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (1, 4)))


@styled
def explanation(
    explained: Explanation,
    true_emotion: str | None = None,
    width: float | None = None,
    dark: bool = False,
) -> Figure:
    """Draw an explanation over one axis of time.

    From top to bottom: the waveform; what came, hatched where the model believed its own prediction
    instead; what it had expected, on the same scale; by how much both differ; and the probability
    of every emotion. Numbered lines are the moments that moved the answer most, told below. All of
    it can be read without color. Nothing is drawn past the recording's end, where the model was
    given silence.

    Args:
        explained: a recording's.
        true_emotion: what it is labelled, where that is known.
        width: in inches; 3.6 is legible on a phone held upright. None: the wider the longer.
        dark: light on a dark ground.

    Example:
        >>> figure = ser.plots.explanation(ser.explain(model, wav))
        >>> [axes.get_title("left") for axes in figure.axes][2]
        'what the model expected, before it came'
    """
    maps, end = explained.maps, max(explained.duration, explained.times[-1])
    if width is None:
        width = float(np.clip(WIDTH + 0.07 * (end - 8), WIDTH, 1.6 * WIDTH))
    story = _wrapped(explained.story, width)
    emotions = len(explained.model.classes)
    heights = [0.7, 1.5, 1.5, 1.5, max(1.4, 0.17 * emotions), 0.16 * max(1, len(story))]
    figure = Figure(figsize=(width, sum(heights) + 1.3), layout="constrained")
    grid = figure.add_gridspec(6, 2, width_ratios=[1, 0.03], height_ratios=heights)
    top = figure.add_subplot(grid[0, 0])
    panels = [top, *(figure.add_subplot(grid[row, 0], sharex=top) for row in range(1, 5))]
    _, came, expected, difference, bottom = panels
    figure.suptitle(title(explained.answer, true_emotion), fontsize=10)
    _draw_waveform(top, explained.samples, explained.model.features.sample_rate)

    colors = colors_of(dark)
    raster = Raster(maps.begin, maps.end, width)
    in_decibels = maps.unit.startswith("dB")
    scale = (maps.softest, 0.0) if in_decibels else (-_FARTHEST, _FARTHEST)
    for axes, values in ((came, maps.came), (expected, maps.expected)):
        image = raster.draw(axes, values, colors.sequential, *scale)
    bar = figure.colorbar(image, cax=figure.add_subplot(grid[1:3, 1]))
    bar.set_label("level (dB)" if in_decibels else "standard deviations", fontsize=9)
    sampled = raster.smooth(maps.sampled)
    raster.outline(came, sampled, (-1, _BELIEVED_BELOW), colors.accent, hatch="////")
    _say_nothing_expected(expected, maps.end, maps.expected, width - 1.5)

    apart = maps.came - maps.expected
    widest = 3 * _SURPRISING[0] if in_decibels else _FARTHEST
    image = raster.draw(difference, apart, colors.diverging, -widest, widest)
    bar = figure.colorbar(image, cax=figure.add_subplot(grid[3, 1]))
    bar.set_label("dB" if in_decibels else "standard deviations", fontsize=9)
    limit = _SURPRISING[0] if in_decibels else _SURPRISING[1]
    smooth = raster.smooth(apart)
    raster.outline(difference, smooth, (limit, np.inf), colors.ink, style="-")
    raster.outline(difference, smooth, (-np.inf, -limit), colors.ink, style=":")
    for axes in (came, expected, difference):
        _mark_rows(axes, maps.rows, maps.frequencies)
    more, less = ("louder", "softer") if in_decibels else ("more", "less")
    titles = {
        came: "what came; hatched: not listened to, the expectation was trusted",
        expected: "what the model expected, before it came",
        difference: f"difference: {more} (solid line) or {less} (dotted) than expected",
        bottom: "probability of each emotion",
    }
    for axes, told in titles.items():
        axes.set_title(
            "\n".join(textwrap.wrap(told, int((width - 1.5) * 17))), fontsize=8.5, loc="left"
        )

    names = figure.add_subplot(grid[4, 1], sharey=bottom)
    _draw_emotions(bottom, names, explained, colors.accent, colors.ink)
    bottom.set(xlabel="time (s)", xlim=(0, end))
    for axes in panels[:-1]:
        axes.tick_params(labelbottom=False)
    if explained.padding_from is not None:
        _mark_padding(panels, explained.padding_from, end)
    _mark_moments(panels, explained.moments, colors.ink)
    below = figure.add_subplot(grid[5, :])
    below.axis("off")
    below.text(0, 1, "\n".join(story), va="top", fontsize=8, transform=below.transAxes)
    return figure


@styled
def spectrogram(
    maps: Maps,
    values: Array,
    heading: str,
    line: float | None = None,
    width: float | None = None,
    dark: bool = False,
) -> Figure:
    """Draw one map over time, with its frequencies or coefficients.

    Args:
        maps: where its columns and rows are.
        values: in the maps' unit, [columns, rows].
        heading: the picture's.
        line: a time to mark, in seconds.
        width: in inches.
        dark: light on a dark ground.

    Example:
        >>> maps = ser.explain(model, wav).maps
        >>> ser.plots.spectrogram(maps, maps.came, "what came").axes[0].get_title("left")
        'what came'
    """
    width = width or WIDTH
    colors, in_decibels = colors_of(dark), maps.unit.startswith("dB")
    figure = Figure(figsize=(width, 2.4), layout="constrained")
    axes = figure.subplots()
    scale = (maps.softest, 0.0) if in_decibels else (-_FARTHEST, _FARTHEST)
    image = Raster(maps.begin, maps.end).draw(axes, values, colors.sequential, *scale)
    figure.colorbar(image, ax=axes, label="level (dB)" if in_decibels else "standard deviations")
    if line is not None:
        axes.axvline(line, color=colors.accent, linewidth=2)
    _mark_rows(axes, maps.rows, maps.frequencies)
    axes.set(xlabel="time (s)")
    axes.set_title(
        "\n".join(textwrap.wrap(heading, int((width - 1.5) * 17))), fontsize=8.5, loc="left"
    )
    return figure


def title(recognition: Any, true_emotion: str | None = None) -> str:
    """Name a recording and its emotion.

    Example:
        >>> title({"file": "a/b.wav", "emotion": "sad", "probabilities": {"sad": 0.7}})
        'b.wav: sad (70 %)'
    """
    emotion = recognition["emotion"]
    name = PurePath(str(recognition.get("file", "sound in memory"))).name
    name = name if len(name) <= 40 else f"{name[:24]}…{name[-15:]}"
    # A file name may hold bytes that no font can show and no encoder can write.
    name = "".join(c if c.isprintable() else "?" for c in name)
    found = f"{emotion} ({100 * recognition['probabilities'][emotion]:.0f} %)"
    if true_emotion is None:
        return f"{name}: {found}"
    return f"{name}\nrecognised: {found}, true: {true_emotion}"


def _wrapped(story: Sequence[str], width: float) -> list[str]:
    letters = int(width * 15)
    return [
        line for told in story for line in textwrap.wrap(told, letters, subsequent_indent="   ")
    ]


def _draw_waveform(axes: Axes, samples: Array, sample_rate: float) -> None:
    """Draw the lowest and highest sample of each of many short stretches."""
    length = max(1, -(-len(samples) // _ENVELOPE_COLUMNS))
    starts = np.arange(0, len(samples), length)
    low, high = np.minimum.reduceat(samples, starts), np.maximum.reduceat(samples, starts)
    axes.fill_between(starts / sample_rate, low, high, color=GRAY, linewidth=0.6)
    loudest = float(np.abs(samples).max()) or 1.0
    axes.set(ylabel="sound", yticks=[], ylim=(-loudest, loudest))


def _say_nothing_expected(axes: Axes, end: Array, expected: Array, room: float) -> None:
    """Say so where nothing was predicted, if there is room; the panel is `room` inches wide."""
    unpredicted = np.isnan(expected).all(axis=1)
    if unpredicted.any():
        last = float(end[unpredicted][-1])
        axes.axvspan(0, last, facecolor="none", edgecolor=GRAY, hatch="..", linewidth=0)
        if room * last / end[-1] > 1.0:
            box = {"facecolor": axes.get_facecolor(), "edgecolor": "none", "pad": 1.5}
            text = axes.text(last / 2, 0.5, "nothing to\nexpect yet", ha="center", va="center")
            text.set(transform=axes.get_xaxis_transform(), fontsize=8, bbox=box)


def _mark_rows(axes: Axes, names: Sequence[str], frequencies: Array | None) -> None:
    """Put round frequencies where they lie between the rows, or name some rows."""
    if frequencies is None:
        every = max(1, len(names) // 6)
        shown = range(0, len(names), every)
        axes.set_yticks([row + 0.5 for row in shown], [names[row] for row in shown], fontsize=7.5)
        return
    round_ones = 125.0 * 2.0 ** np.arange(1, 10)
    shown_hertz = round_ones[(round_ones >= frequencies[0]) & (round_ones <= frequencies[-1])]
    middles = np.arange(len(frequencies)) + 0.5
    written = [f"{hertz:,.0f}" for hertz in shown_hertz]
    axes.set_yticks(np.interp(shown_hertz, frequencies, middles), written, fontsize=8)
    axes.set_ylabel("Hz")


def _draw_emotions(axes: Axes, names: Axes, explained: Explanation, accent: str, ink: str) -> None:
    """Draw the probabilities as lines, and name them at their ends."""
    percent = 100 * explained.probabilities  # [T, C]
    order = np.argsort(-percent[-1], kind="stable")
    answered = int(order[0])
    marker = "o" if len(percent) == 1 else None
    # Names lie at their lines' ends, or as close as the names beside them let them.
    apart = 100 / max(8.0, len(order))
    heights = _spread(percent[-1][order], apart)
    # The likelier an emotion was at any time, the more of its line is drawn.
    ranks = np.argsort(np.argsort(-percent.max(axis=0), kind="stable"), kind="stable")
    for index, height in zip(order.tolist(), heights, strict=True):
        rank = 0 if index == answered else max(1, int(ranks[index]))
        style = _DASHES[min(rank, len(_DASHES) - 1)]
        look: dict[str, Any] = {"color": accent if index == answered else ink, "linestyle": style}
        look |= {"linewidth": 2.4, "zorder": 3} if index == answered else {"linewidth": 1.2}
        axes.plot(explained.times, percent[:, index], marker=marker, markersize=3, **look)
        name = explained.model.classes[index]
        name = name if len(name) <= 14 else f"{name[:13]}…"
        weight = "bold" if index == answered else "normal"
        names.text(0.9, height, name, va="center", fontsize=8, fontweight=weight)
        names.plot([-0.6, 0.7], [percent[-1, index], height], clip_on=False, **look)
    names.set_xlim(0, 1)
    names.axis("off")
    axes.set(ylabel="%", ylim=(0, 100), yticks=[0, 50, 100])
    axes.grid(axis="y")


def _spread(values: Array, apart: float) -> Array:
    """Move descending values by as little as it takes to be `apart`, within 0 to 100."""
    placed = np.array(values, dtype=float)
    for index in range(1, len(placed)):
        placed[index] = min(placed[index], placed[index - 1] - apart)
    lowest = apart / 2
    for index in reversed(range(len(placed))):
        placed[index] = max(placed[index], lowest)
        lowest = placed[index] + apart
    return placed


def _mark_padding(panels: Sequence[Axes], start: float, end: float) -> None:
    for axes in panels:
        axes.axvline(start, color=GRAY, linewidth=0.8)
    for axes in panels[:-1]:  # the last one has curves
        axes.axvspan(start, end, facecolor="none", edgecolor=GRAY, hatch="xx", linewidth=0)
    box = {"facecolor": panels[0].get_facecolor(), "edgecolor": "none", "pad": 1.5}
    if end - start > 0.06 * end:
        text = panels[1].text((start + end) / 2, 0.5, "silence added", rotation=90)
        text.set(transform=panels[1].get_xaxis_transform(), fontsize=8, bbox=box)
        text.set(ha="center", va="center")


def _mark_moments(panels: Sequence[Axes], moments: Sequence[Moment], ink: str) -> None:
    """Number the stretches that moved the answer, and draw a line where each ends."""
    top = panels[0].get_xaxis_transform()
    for number, moment in enumerate(moments, 1):
        for axes in panels:
            axes.axvline(moment.time, color=ink, linewidth=0.8, linestyle=(0, (4, 2)))
        panels[0].plot([moment.start, moment.time], [1, 1], color=ink, transform=top, clip_on=False)
        box = {"boxstyle": "circle,pad=0.15", "facecolor": panels[0].get_facecolor()}
        middle = (moment.start + moment.time) / 2
        text = panels[0].text(middle, 1.0, str(number), ha="center", va="center", fontsize=7.5)
        text.set(transform=top, bbox=box | {"edgecolor": ink})
