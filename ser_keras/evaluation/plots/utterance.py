"""One utterance over time: its waveform, the model's attention and the emotions recognised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from ser_keras.evaluation.plots.canvas import BLUE, GRAY, WIDTH, styled

# Coloured against grey, both darker than the page: told apart by all readers, and in print.
_SAMPLED = ListedColormap(matplotlib.colormaps["YlOrBr"](np.linspace(0.25, 1, 256)))
_PREDICTED = ListedColormap(matplotlib.colormaps["Greys"](np.linspace(0.15, 0.9, 256)))

_WRITTEN_INSTANTS = 12  # with more instants, the numbers written above them would overlap
_ENVELOPE_COLUMNS = 1500  # more points of a waveform than the picture has pixels show nothing


@styled
def attention_heatmap(
    waveform: ArrayLike,
    sample_rate: float,
    recognition: Mapping[str, Any],
    coefficient_labels: Sequence[str] | None = None,
    observation_shape: Sequence[int] | None = None,
    band_frequencies: ArrayLike | None = None,
    true_emotion: str | None = None,
) -> Figure:
    """Draw waveform, saliency and emotions of one utterance over a shared time axis.

    Windows overlap, so an instant is drawn where its window brings something new: over its last
    hop, the first instant over its whole window. Cells that the model sampled are coloured, those
    that it replaced by its own prediction are grey; both show saliency, on one scale. What follows
    the end of the recording is hatched: there the model heard silence that was added to it.

    Args:
        waveform: samples [N], mono.
        sample_rate: of the waveform, in hertz.
        recognition: an answer of `Recognizer` or a line of `predict --attention`; `time` of an
            instant is the end of its window in seconds.
        coefficient_labels: names of the D coefficients, or of a patch's bands.
        observation_shape: (frames, bands) of a patch that the recognition holds flat, as [D].
        band_frequencies: of a patch's mel bands, in hertz, as `FeatureSpec.band_frequencies`.
        true_emotion: what the utterance is labelled, where it is known.

    Example:
        >>> line = ser.Recognizer(model).recognize(wav)
        >>> rate = model.features.sample_rate
        >>> waveform = np.zeros(int(line["duration"] * rate))
        >>> figure = ser.plots.attention_heatmap(waveform, rate, line)
        >>> [axes.get_ylabel() for axes in figure.axes][:3]
        ['amplitude', 'coefficient', 'emotion']
    """
    samples = np.asarray(waveform, dtype=float)
    instants = recognition.get("instants", ())
    if samples.ndim != 1 or not instants:
        raise ValueError(
            "attention heat map: expected a waveform [N] and a recognition with instants, "
            f"found shape {samples.shape} and {len(instants)} instants"
        )
    if "saliency" not in instants[0]:
        raise ValueError(
            "attention heat map: expected instants with saliency and attention, as Recognizer and "
            "predict --attention give them, found none"
        )
    edges = np.array([0.0, *(instant["time"] for instant in instants)])
    emotions = list(instants[0]["probabilities"])
    heights = [1.1, 3.4, 0.25 + 0.22 * len(emotions)]
    figure = Figure(figsize=(WIDTH, sum(heights) + 1.1), layout="constrained")
    grid = figure.add_gridspec(3, 3, width_ratios=[1, 0.03, 0.03], height_ratios=heights)
    top = figure.add_subplot(grid[0, 0])
    middle = figure.add_subplot(grid[1, 0], sharex=top)
    bottom = figure.add_subplot(grid[2, 0], sharex=top)

    top.set_title(_title(recognition, true_emotion))
    _draw_waveform(top, samples, sample_rate)
    scales = [figure.add_subplot(grid[1, column]) for column in (1, 2)]
    _draw_saliency(middle, scales, instants, edges, observation_shape)
    if band_frequencies is None:
        _name_rows(middle, coefficient_labels)
    else:
        _mark_frequencies(middle, np.asarray(band_frequencies, dtype=float))
    _draw_emotions(bottom, figure.add_subplot(grid[2, 1:]), instants, edges, emotions)
    for axes in (top, middle):
        axes.tick_params(labelbottom=False)
    end = len(samples) / sample_rate
    bottom.set(xlabel="time (s)", xlim=(0, max(edges[-1], end)))
    if edges[-1] > end:
        _mark_padding((top, middle, bottom), end, edges[-1])
    return figure


def _title(recognition: Mapping[str, Any], true_emotion: str | None) -> str:
    emotion = recognition["emotion"]
    name = PurePath(str(recognition.get("file", "sound in memory"))).name
    name = name if len(name) <= 50 else f"{name[:30]}…{name[-19:]}"
    # A file name may hold bytes that no font can show and no encoder can write.
    name = "".join(c if c.isprintable() else "?" for c in name)
    found = f"{emotion} ({100 * recognition['probabilities'][emotion]:.0f} %)"
    if true_emotion is None:
        return f"{name}: {found}"
    return f"{name}\nrecognised: {found}, true: {true_emotion}"


def _mark_padding(panels: Sequence[Axes], start: float, end: float) -> None:
    for axes in panels:
        axes.axvline(start, color="black", linewidth=0.8)
    for axes in panels[:-1]:  # the last one has numbers
        axes.axvspan(start, end, facecolor="none", edgecolor=GRAY, hatch="///", linewidth=0)
    above = panels[0].get_xaxis_transform()
    text = panels[0].text((start + end) / 2, 0.96, "padding", va="top", fontsize=8, transform=above)
    text.set(ha="center", bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5})


def _draw_waveform(axes: Axes, samples: NDArray[np.float64], sample_rate: float) -> None:
    """Draw the lowest and highest sample of each of many short stretches."""
    length = max(1, -(-len(samples) // _ENVELOPE_COLUMNS))
    starts = np.arange(0, len(samples), length)
    if len(starts):
        low, high = np.minimum.reduceat(samples, starts), np.maximum.reduceat(samples, starts)
        axes.fill_between(starts / sample_rate, low, high, color=BLUE, linewidth=0.6)
    axes.set_ylabel("amplitude")


def _draw_saliency(
    axes: Axes,
    scales: Sequence[Axes],
    instants: Sequence[Mapping[str, Any]],
    edges: NDArray[np.float64],
    observation_shape: Sequence[int] | None,
) -> None:
    saliency = np.array([instant["saliency"] for instant in instants], dtype=float)
    attention = np.array([instant["attention"] for instant in instants], dtype=float)
    shape = tuple(observation_shape or saliency.shape[1:])
    frames = shape[0] if len(shape) > 1 else 1
    drawn, times = _last_hops(edges, frames)
    # [T, D] or [T, frames, bands] to [T, frames, rows], and the frames drawn to [rows, columns]
    cells = saliency.reshape(len(instants), frames, -1)[drawn].T
    sampled = attention.reshape(len(instants), frames, -1)[drawn].T

    largest = np.nanmax(cells, initial=0.0)
    norm = Normalize(0, largest if largest > 0 else 1)
    rows = np.arange(len(cells) + 1)
    looks = ((sampled < 0.5, _PREDICTED, "predicted"), (sampled >= 0.5, _SAMPLED, "sampled"))
    for (shown, colors, name), scale in zip(looks, scales, strict=True):
        values = np.ma.masked_where(~shown | np.isnan(cells), cells)
        mesh = axes.pcolormesh(times, rows, values, cmap=colors, norm=norm, rasterized=True)
        scale.figure.colorbar(mesh, cax=scale)
        # The light end of both scales is at the bottom: black on it is legible.
        written = scale.text(0.5, 0.03, name, rotation=90, ha="center", va="bottom", fontsize=8)
        written.set_transform(scale.transAxes)
    scales[0].tick_params(right=False, labelright=False)
    scales[-1].set_ylabel("saliency |X − x̂| (standard deviations)")
    axes.set_ylabel("band" if frames > 1 else "coefficient")
    if len(instants) <= _WRITTEN_INSTANTS:
        above = axes.get_xaxis_transform()
        for index, instant in enumerate(instants):
            share = f"{100 * instant['sampled_fraction']:.0f} %{'' if index else ' sampled'}"
            center = edges[index : index + 2].mean()
            axes.text(center, 1.01, share, ha="center", fontsize=8, transform=above)


def _last_hops(
    edges: NDArray[np.float64], frames: int
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Choose the frames of overlapping windows that lie side by side: of each its last hop.

    Args:
        edges: 0 and the end of each window in seconds, [T + 1]; the first hop is a whole window.
        frames: of a window; a single one stands for all of it.

    Returns:
        Which frames are drawn, [T, frames], and the edges of the columns in seconds.
    """
    hops = np.diff(edges)  # [T]
    drawn = np.clip(np.rint(frames * hops / edges[1]).astype(int), 1, frames)  # [T]
    last = np.arange(frames) >= frames - drawn[:, np.newaxis]
    return last, np.cumsum([0, *np.repeat(hops / drawn, drawn)])


def _name_rows(axes: Axes, labels: Sequence[str] | None) -> None:
    """Label some ten rows, by name or by number from 1."""
    rows = int(axes.get_ylim()[1])
    every = max(1, rows // 10)
    shown = range(0, rows, every) if labels else range(every - 1, rows, every)
    names = [labels[row] if labels else str(row + 1) for row in shown]
    axes.set_yticks([row + 0.5 for row in shown], names)


def _mark_frequencies(axes: Axes, frequencies: NDArray[np.float64]) -> None:
    """Put round frequencies where they lie between the peaks of the bands, [rows] in hertz."""
    round_ones = 125.0 * 2.0 ** np.arange(10)
    shown = round_ones[(round_ones >= frequencies[0]) & (round_ones <= frequencies[-1])]
    middles = np.arange(len(frequencies)) + 0.5
    axes.set_yticks(np.interp(shown, frequencies, middles), [f"{hertz:,.0f}" for hertz in shown])
    axes.set_ylabel("mel band (Hz)")


def _draw_emotions(
    axes: Axes,
    scale: Axes,
    instants: Sequence[Mapping[str, Any]],
    edges: NDArray[np.float64],
    emotions: Sequence[str],
) -> None:
    percent = 100 * np.array(
        [[instant["probabilities"][emotion] for instant in instants] for emotion in emotions]
    )
    rows = np.arange(len(emotions) + 1)
    mesh = axes.pcolormesh(edges, rows, percent, cmap="Blues", vmin=0, vmax=100)
    scale.figure.colorbar(mesh, cax=scale, ticks=[0, 50, 100], label="probability (%)")
    axes.set_yticks(rows[:-1] + 0.5, emotions)
    axes.set_ylabel("emotion")
    axes.invert_yaxis()
    if len(instants) <= _WRITTEN_INSTANTS:
        for (row, column), value in np.ndenumerate(percent):
            center, color = edges[column : column + 2].mean(), "white" if value > 50 else "black"
            text = f"{value:.0f}"
            axes.text(center, row + 0.5, text, ha="center", va="center", fontsize=8, color=color)
