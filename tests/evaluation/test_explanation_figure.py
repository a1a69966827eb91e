"""The picture of an explanation shows its numbers."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import librosa
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ser_keras.evaluation import plots
from ser_keras.evaluation.explanation.maps import DECIBELS, DEVIATIONS, Maps
from ser_keras.evaluation.explanation.moments import Moment
from ser_keras.evaluation.plots.canvas import colors_of
from ser_keras.evaluation.plots.raster import Raster

EMOTIONS = ("neutral", "happy", "sad")
BANDS = librosa.mel_frequencies(42, fmin=0, fmax=8000)[1:-1]
MOMENTS = (Moment(1, 1.0, 1.5, 0.2, 0.4, 3, 12.0), Moment(2, 1.5, 2.0, 0.4, 0.7, 5, -9.0))


def explained(
    seconds: float = 2.0,
    end: float | None = None,
    frequencies: np.ndarray | None = BANDS,
    **more: Any,
) -> Any:
    """As an `Explanation`: windows of 1 s, 0.5 s apart, and 40 rows."""
    end = end or seconds
    columns = round(seconds / (0.016 if frequencies is not None else 0.5))
    edges = np.linspace(0, seconds, columns + 1)
    random = np.random.default_rng(0)
    came, expected = random.uniform(-60, 0, (2, columns, 40))
    if frequencies is None:
        came, expected = came / 20 + 1.5, expected / 20 + 1.5
    expected[edges[:-1] < 1.0] = np.nan
    maps = Maps(
        begin=edges[:-1],
        end=edges[1:],
        rows=tuple(f"MFCC {row}" for row in range(1, 41)),
        frequencies=frequencies,
        unit=DEVIATIONS if frequencies is None else DECIBELS,
        came=came,
        expected=expected,
        sampled=random.choice([0.0, 0.5, 1.0], came.shape),
        saliency=np.abs(came - expected),
        reference=0.0,
        instant=(edges[:-1] // 0.5).astype(int),
        softest=-60.0,
    )
    times = np.arange(1.0, end + 0.01, 0.5)
    probabilities = np.linspace([0.5, 0.3, 0.2], [0.2, 0.1, 0.7], len(times))
    answer = {"file": "speech/hello.wav", "emotion": "sad", "probabilities": {"sad": 0.7}}
    fields = {
        "answer": answer,
        "samples": np.sin(np.arange(int(8000 * seconds)) / 10).astype(np.float32),
        "model": SimpleNamespace(classes=EMOTIONS, features=SimpleNamespace(sample_rate=8000)),
        "maps": maps,
        "times": times,
        "probabilities": probabilities,
        "duration": seconds,
        "padding_from": seconds if end > seconds else None,
        "moments": MOMENTS,
        "story": ["1  a first moment", "2  a second moment"],
    }
    return SimpleNamespace(**fields | more)


def panel(figure: Figure, title: str) -> Axes:
    return next(axes for axes in figure.axes if title in axes.get_title("left").replace("\n", " "))


def points(line: Line2D) -> np.ndarray:
    return np.asarray(line.get_xydata(), float)


def written(figure: Figure) -> str:
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    return "\n".join([*texts, figure.get_suptitle()])


def test_maps_are_drawn_at_their_times_and_rows():
    given = explained()
    figure = plots.explanation(given)
    for title, values in (("what came", given.maps.came), ("expected,", given.maps.expected)):
        (image,) = panel(figure, title).images
        assert list(image.get_extent()) == [0.0, 2.0, 0.0, 40.0]
        pixels: np.ndarray = np.ma.filled(np.ma.asarray(image.get_array()), np.nan)
        for column in (3, 70, 110):
            middle = int((given.maps.begin[column] + 0.008) / 2.0 * pixels.shape[1])
            np.testing.assert_array_equal(pixels[:, middle], values[column])
    scales = {panel(figure, name).images[0].get_clim() for name in ("what came", "expected,")}
    assert scales == {(-60.0, 0.0)}


def test_maps_are_drawn_down_to_what_the_model_hears():
    given = explained()
    figure = plots.explanation(explained(maps=dataclasses.replace(given.maps, softest=-45.0)))
    scales = {panel(figure, name).images[0].get_clim() for name in ("what came", "expected,")}
    assert scales == {(-45.0, 0.0)}


def test_all_panels_share_one_axis_of_time_in_seconds():
    figure = plots.explanation(explained(end=2.5))
    limits = [axes.get_xlim() for axes in figure.axes[:5]]
    assert limits == [(0, 2.5)] * 5
    assert "time (s)" in [axes.get_xlabel() for axes in figure.axes]


def test_rows_are_marked_in_hertz_where_librosa_has_them():
    axes = panel(plots.explanation(explained()), "what came")
    assert axes.get_ylabel() == "Hz"
    rows = {label.get_text(): row for label, row in
            zip(axes.get_yticklabels(), axes.get_yticks(), strict=True)}  # fmt: skip
    assert list(rows) == ["250", "500", "1,000", "2,000", "4,000"]
    assert BANDS[int(rows["1,000"])] == pytest.approx(1000, rel=0.1)


def test_coefficients_are_marked_by_name():
    axes = panel(plots.explanation(explained(frequencies=None)), "what came")
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names[0] == "MFCC 1"
    assert len(names) < 10


def test_what_was_believed_is_hatched():
    given = explained(frequencies=None)
    given.maps.sampled[:] = 1.0
    given.maps.sampled[2, 10:20] = 0.0
    axes = panel(plots.explanation(given), "what came")
    (hatched,) = [each for each in axes.collections if getattr(each, "hatches", [None])[0]]
    box = hatched.get_datalim(axes.transData)
    assert (box.x0, box.x1) == pytest.approx((1.0, 1.5), abs=0.01)
    assert (box.y0, box.y1) == pytest.approx((10, 20), abs=0.5)


@pytest.mark.parametrize(("end", "padded"), [(2.0, False), (2.5, True)])
def test_padding_is_marked(end: float, padded: bool):
    figure = plots.explanation(explained(end=end))
    assert ("silence added" in written(figure)) == padded
    crossed = [patch for axes in figure.axes for patch in axes.patches if patch.get_hatch() == "xx"]
    assert len(crossed) == (4 if padded else 0)


def test_moments_are_numbered_and_told():
    figure = plots.explanation(explained())
    top, *_, bottom = figure.axes[:5]
    assert [text.get_text() for text in top.texts] == ["1", "2"]
    assert {(1.5, 1.5), (2.0, 2.0)} <= {tuple(points(line)[:, 0]) for line in bottom.get_lines()}
    assert "a second moment" in written(figure)


def test_emotions_are_named_at_the_ends_of_their_lines():
    given = explained()
    axes = panel(plots.explanation(given), "probability")
    curves = [
        line
        for line in axes.get_lines()
        if line.get_transform() == axes.transData and len(points(line)) == len(given.times)
    ]
    drawn = {tuple(np.round(points(line)[:, 1], 6)) for line in curves}
    assert drawn == {tuple(np.round(100 * column, 6)) for column in given.probabilities.T}
    assert (
        len({line.get_linestyle() for line in curves} | {line.get_linewidth() for line in curves})
        > 3
    )
    assert {"neutral", "happy", "sad"} <= set(written(plots.explanation(given)).split("\n"))


def test_a_minute_is_drawn_in_as_many_columns_as_a_picture_shows():
    figure = plots.explanation(explained(seconds=60.0))
    assert np.asarray(panel(figure, "what came").images[0].get_array()).shape == (40, 900)
    assert figure.get_size_inches()[0] > plots.explanation(explained()).get_size_inches()[0]
    plots.png(figure)


def test_less_than_a_window():
    given = explained(seconds=0.3, end=1.0, moments=(), story=["too short"])
    plots.png(plots.explanation(given))
    plots.png(plots.explanation(explained(0.3, 1.0, frequencies=None, moments=())))


def test_a_dark_ground():
    figure = plots.explanation(explained(), dark=True)
    ground = to_rgba(colors_of(dark=True).ground)
    assert figure.get_facecolor() == ground
    assert {axes.get_facecolor() for axes in figure.axes[:5]} == {ground}
    assert plots.confusion_matrix([[1]], ["sad"]).get_facecolor() == (1, 1, 1, 1)


def test_the_true_emotion_stands_beside_the_one_recognized():
    figure = plots.explanation(explained(), true_emotion="happy")
    assert figure.get_suptitle() == "hello.wav\nrecognised: sad (70 %), true: happy"


@pytest.mark.parametrize("name", ["$broken_{.wav", "a\nb\udcff.wav", "<b>.wav", "n" * 300 + ".wav"])
def test_any_file_name_can_be_a_title(name: str):
    given = explained()
    given.answer["file"] = f"/somewhere/{name}"
    figure = plots.explanation(given)
    plots.png(figure)
    assert figure.get_suptitle().endswith(": sad (70 %)")
    assert "somewhere" not in figure.get_suptitle()


def test_a_raster_averages_columns_that_are_finer_than_pixels():
    edges = np.linspace(0, 60, 3601)
    values = np.arange(3600.0)[:, np.newaxis]
    pixels = Raster(edges[:-1], edges[1:]).pixels(values)
    assert pixels.shape == (900, 1)
    np.testing.assert_allclose(pixels[:3, 0], [1.5, 5.5, 9.5])
