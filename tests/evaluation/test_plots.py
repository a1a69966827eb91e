"""Figures show the numbers that they are given, and leave the user's matplotlib as it was."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from ser_keras.evaluation import plots
from ser_keras.evaluation.plots import fonts

EMOTIONS = ("neutral", "happy", "sad")
RATE = 8000


def panel(figure: Figure, ylabel: str) -> Axes:
    return next(axes for axes in figure.axes if axes.get_ylabel() == ylabel)


def points(line: Line2D) -> np.ndarray:
    return np.asarray(line.get_xydata())


def written(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


@pytest.fixture(scope="module")
def every_figure() -> dict[str, Figure]:
    return {
        "confusion": plots.confusion_matrix(np.diag([3, 2, 1]), EMOTIONS),
        "similarity": plots.attention_similarity(np.full((3, 3), 0.9), EMOTIONS),
        "curves": plots.learning_curves({"accuracy": [0.1, 0.2], "val_accuracy": [0.1, 0.1]}),
        "sampled": plots.sampled_fraction({"sad": 0.4}, published={"sad": 0.6}),
        "accuracy": plots.accuracy_comparison({"ours": [0.6, 0.7]}, {"paper": 0.8}),
    }


def test_every_panel_names_its_axes_and_units(every_figure: dict[str, Figure]):
    for name, figure in every_figure.items():
        labels = " ".join(axes.get_xlabel() + axes.get_ylabel() for axes in figure.axes)
        assert labels, name
        if name != "similarity":
            assert any(unit in labels for unit in ("%", "(s)", "utterances")), name


def test_files_hold_the_picture_alone(every_figure: dict[str, Figure], tmp_path: Path):
    for figure in every_figure.values():
        plots.save(figure, tmp_path / "figure.png")
        data = (tmp_path / "figure.png").read_bytes()
        assert data.startswith(b"\x89PNG")
        assert b"tEXt" not in data
        assert b"matplotlib" not in data.lower()


def test_the_same_numbers_give_the_same_file():
    first, second = (plots.png(plots.confusion_matrix(np.eye(3), EMOTIONS)) for _ in range(2))
    assert first == second


def test_the_user_s_matplotlib_stays_as_it_was(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(matplotlib.rcParams, "font.size", 23.0)
    monkeypatch.setitem(matplotlib.rcParams, "axes.facecolor", "black")
    before = dict(matplotlib.rcParams)
    figure = plots.confusion_matrix(np.eye(3), EMOTIONS)
    plots.png(figure)
    assert dict(matplotlib.rcParams) == before
    assert figure.axes[0].get_facecolor() == (1, 1, 1, 1)
    assert figure.axes[0].xaxis.label.get_fontsize() != 23


def test_pyplot_is_not_imported():
    program = (
        "import sys, ser_keras.evaluation.plots as p; p.png(p.confusion_matrix([[1]], ['sad']));"
        "assert not {'matplotlib.pyplot', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


def test_confusion_matrix_colours_shares_and_writes_counts():
    counts = np.array([[6, 2, 0], [1, 1, 2], [0, 0, 0]])
    axes = plots.confusion_matrix(counts, EMOTIONS).axes[0]
    expected = [[75, 25, 0], [25, 25, 50], [0, 0, 0]]  # in percent of the row
    np.testing.assert_allclose(np.asarray(axes.images[0].get_array()), expected)
    assert written(axes) == [str(count) for count in counts.flat]
    assert [label.get_text() for label in axes.get_yticklabels()] == list(EMOTIONS)


def test_a_matrix_of_another_size_than_its_labels_is_refused():
    with pytest.raises(ValueError, match=r"3 labels.*\(2, 2\)"):
        plots.confusion_matrix(np.eye(2), EMOTIONS)


def test_similarity_survives_emotions_without_attention():
    missing: list = [[1.0, 0.95, None], [0.95, 1.0, None], [None, None, None]]
    axes = plots.attention_similarity(missing, EMOTIONS).axes[0]
    assert written(axes) == ["1.000", "0.950", "–", "0.950", "1.000", "–", "–", "–", "–"]
    plots.png(plots.attention_similarity(np.full((3, 3), np.nan), EMOTIONS))


@pytest.mark.parametrize("low", [0.2, 0.95])
def test_colours_of_similarity_mean_the_same_in_every_run(low: float):
    matrix = np.array([[1, low], [low, 1]])
    figure = plots.attention_similarity(matrix, ["happy", "sad"])
    assert figure.axes[0].images[0].get_clim() == (0, 1)
    assert "0 to 1" in figure.axes[1].get_ylabel()


def test_a_model_has_one_name_in_all_rows():
    ours = {"weighted_accuracy": {"runs": [0.6, 0.7]}}
    paper = {"weighted_accuracy": {"attention": 0.8, "no_attention": 0.9}}
    figure2 = {"labels": ["sad"], "similarity": [[1.0]]}
    reproduction = {"attention": ours, "no_attention": ours, "paper": paper, "figure2": figure2}
    figure = plots.reproduction_figures(reproduction | {"table2": {"sad": 0.4}})["accuracy"]
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == [
        f"{whose}, {how} attention" for whose in ("ours", "paper") for how in ("with", "without")
    ]


def test_reliability_shows_every_bin():
    bins = [
        {"utterances": 3, "confidence": 0.4, "accuracy": 1 / 3},
        {"utterances": 7, "confidence": 0.9, "accuracy": 0.8},
    ]
    above, below = plots.reliability(bins).axes
    _, found = above.get_lines()
    np.testing.assert_allclose(points(found), np.array([[40, 100 / 3], [90, 80]]))
    assert [bar.get_height() for bar in below.patches if isinstance(bar, Rectangle)] == [3, 7]


def test_learning_curves_join_training_and_validation():
    history: dict = {
        "epoch": [0, 1, 2, 3],
        "loss": [4.0, 3.0, 2.0, 1.0],
        "accuracy": [0.1, 0.2, 0.3, 0.4],
        "val_accuracy": [0.15, 0.35],  # validated at every second epoch
    }
    loss, accuracy, *_ = plots.learning_curves(history).axes
    assert (loss.get_ylabel(), accuracy.get_ylabel()) == ("nats", "%")
    assert len(loss.get_lines()) == 1
    training, validation = accuracy.get_lines()
    np.testing.assert_allclose(points(training), [[1, 10], [2, 20], [3, 30], [4, 40]])
    np.testing.assert_allclose(points(validation), [[2, 15], [4, 35]])


def test_learning_curves_have_titles_and_one_unit_for_shares():
    from ser_keras.model.metrics import METRICS

    figure = plots.learning_curves({name: [0.5, 0.6] for name in METRICS})
    titles = [axes.get_title() for axes in figure.axes]
    assert len(set(titles)) == len(METRICS)
    assert not [title for title in titles if "_" in title or title in ("kl", "elbo", "loss")]
    for name, axes in zip(METRICS, figure.axes, strict=True):
        share = "accuracy" in name or "sampled" in name
        assert axes.get_ylabel() == ("%" if share else "nats"), name
        assert points(axes.get_lines()[0])[0, 1] == (50 if share else 0.5)


def test_a_metric_of_the_user_s_keeps_its_name():
    figure = plots.learning_curves({"top_k_accuracy": [0.5], "learning_rate": [0.001]})
    assert [axes.get_title() for axes in figure.axes] == ["top k accuracy", "learning rate"]
    assert [axes.get_ylabel() for axes in figure.axes] == ["%", "learning rate"]


@pytest.mark.parametrize("history", [{}, {"epoch": [0]}])
def test_learning_curves_of_nothing_are_refused(history: dict):
    with pytest.raises(ValueError, match="metric"):
        plots.learning_curves(history)


def test_shares_and_accuracies_stand_on_the_row_of_their_name():
    figure = plots.sampled_fraction({"sad": 0.4, "happy": 0.5}, None, {"happy": 0.66})
    ours, paper, _ = figure.axes[0].get_lines()
    np.testing.assert_allclose(points(ours), [[40, 0], [50, 1]])
    np.testing.assert_allclose(points(paper), [[66, 1]])
    figure = plots.accuracy_comparison({"a": [0.6, 0.7], "b": [0.5]}, {"paper": 0.8})
    runs, means, published = figure.axes[0].get_lines()
    np.testing.assert_allclose(points(runs), [[60, 0], [70, 0], [50, 1]])
    np.testing.assert_allclose(points(means), [[65, 0], [50, 1]])
    np.testing.assert_allclose(points(published), [[80, 2]])


# Kanji, Hangul, Devanagari, and a private character that no font has.
NAMES = ["悲しい", "행복", "क्रोध", "\ue123"]


@pytest.mark.filterwarnings("error")
def test_names_of_any_script_are_drawn_without_warnings(caplog: pytest.LogCaptureFixture):
    figure = plots.confusion_matrix(np.eye(4), NAMES)
    assert plots.png(figure).startswith(b"\x89PNG")
    plots.png(plots.sampled_fraction(dict.fromkeys(NAMES, 0.4)))
    plots.png(plots.accuracy_comparison({name: [0.4] for name in NAMES}, {}))
    assert caplog.records == []


def test_a_font_that_has_the_characters_is_found(monkeypatch: pytest.MonkeyPatch):
    """matplotlib's own font of mathematical signs stands for an installed one."""
    sign = "\N{WAVE ARROW POINTING DIRECTLY LEFT}"
    files = [Path(matplotlib.get_data_path(), "fonts", "ttf", f"{name}.ttf")
             for name in ("cmr10", "STIXGeneral")]  # fmt: skip
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [*map(str, files)])
    monkeypatch.setattr(fonts, "_characters", lambda _: frozenset(map(ord, "sad ")))
    fonts._families.cache_clear()
    figure = plots.confusion_matrix([[1]], [f"sad {sign}"])
    fonts._families.cache_clear()
    (label,) = figure.axes[0].get_yticklabels()
    own, *others = label.get_fontfamily()
    assert own == fonts.FONT
    assert [name.rpartition("/")[2] for name in others] == ["STIXGeneral.ttf"]
