"""Figures show the numbers that they are given, and leave the user's matplotlib as it was."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import librosa
import matplotlib
import numpy as np
import pytest
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from ser_keras.evaluation import plots
from ser_keras.evaluation.plots import fonts
from ser_keras.features.spec import FeatureSpec

EMOTIONS = ("neutral", "happy", "sad")
RATE = 8000


def recognise(saliency: np.ndarray, attention: np.ndarray, **more: object) -> dict:
    """A line of `predict` for windows of 2 s with a hop of 1 s."""
    probabilities = [0.2, 0.7, 0.1]
    return {
        "file": "speech/hello.wav",
        "emotion": "happy",
        "probabilities": dict(zip(EMOTIONS, probabilities, strict=True)),
        "duration": len(saliency) + 1.5,
        "padded": False,
        "instants": [
            {
                "time": 2.0 + index,
                "emotion": "happy",
                "probabilities": dict(zip(EMOTIONS, probabilities, strict=True)),
                "sampled_fraction": float(np.mean(attended)),
                "saliency": salient.tolist(),
                "attention": attended.astype(int).tolist(),
            }
            for index, (salient, attended) in enumerate(zip(saliency, attention, strict=True))
        ],
        **more,
    }


def random_recognition(*shape: int) -> dict:
    saliency = np.random.default_rng(0).random(shape)
    attention = saliency > saliency.mean(axis=tuple(range(1, len(shape))), keepdims=True)
    attention[0] = True
    return recognise(saliency, attention)


def waveform(recognition: dict) -> np.ndarray:
    return np.sin(np.arange(int(RATE * recognition["duration"])) / 10)


def meshes(figure: Figure, ylabel: str) -> list[QuadMesh]:
    axes = panel(figure, ylabel)
    return [mesh for mesh in axes.collections if isinstance(mesh, QuadMesh)]


def panel(figure: Figure, ylabel: str) -> Axes:
    return next(axes for axes in figure.axes if axes.get_ylabel() == ylabel)


def cells(mesh: QuadMesh) -> np.ma.MaskedArray:
    return np.ma.asarray(mesh.get_array())


def points(line: Line2D) -> np.ndarray:
    return np.asarray(line.get_xydata())


def edges(mesh: QuadMesh) -> list[float]:
    return np.asarray(mesh.get_coordinates())[0, :, 0].tolist()


def written(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


@pytest.fixture(scope="module")
def every_figure() -> dict[str, Figure]:
    line = random_recognition(3, 40)
    return {
        "confusion": plots.confusion_matrix(np.diag([3, 2, 1]), EMOTIONS),
        "similarity": plots.attention_similarity(np.full((3, 3), 0.9), EMOTIONS),
        "curves": plots.learning_curves({"accuracy": [0.1, 0.2], "val_accuracy": [0.1, 0.1]}),
        "sampled": plots.sampled_fraction({"sad": 0.4}, published={"sad": 0.6}),
        "accuracy": plots.accuracy_comparison({"ours": [0.6, 0.7]}, {"paper": 0.8}),
        "heat map": plots.attention_heatmap(waveform(line), RATE, line),
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


@pytest.mark.parametrize("size", [40, 80, 5568])
def test_heat_map_shows_every_saliency_once_split_by_attention(size: int):
    line = random_recognition(3, size)
    figure = plots.attention_heatmap(waveform(line), RATE, line)
    predicted, sampled = map(cells, meshes(figure, "coefficient"))
    saliency = np.array([instant["saliency"] for instant in line["instants"]]).T
    attention = np.array([instant["attention"] for instant in line["instants"]]).T == 1
    np.testing.assert_array_equal(~np.ma.getmaskarray(sampled), attention)
    np.testing.assert_array_equal(~np.ma.getmaskarray(predicted), ~attention)
    np.testing.assert_array_equal(np.where(attention, sampled.data, predicted.data), saliency)


def test_an_instant_is_drawn_as_the_last_hop_of_its_window():
    line = random_recognition(3, 40)
    figure = plots.attention_heatmap(waveform(line), RATE, line)
    assert edges(meshes(figure, "coefficient")[0]) == [0, 2, 3, 4]
    assert edges(meshes(figure, "emotion")[0]) == [0, 2, 3, 4]
    time = panel(figure, "emotion")
    assert time.get_xlabel() == "time (s)"
    assert time.get_xlim() == (0, 4.5)  # the tail that fills no window is shown as well
    assert panel(figure, "amplitude").get_xlim() == time.get_xlim()
    np.testing.assert_allclose(cells(meshes(figure, "emotion")[0])[:, 0], [20, 70, 10])


@pytest.mark.parametrize("flat", [True, False])
def test_a_patch_is_laid_out_in_time(flat: bool):
    patches = np.arange(2 * 4 * 3, dtype=float).reshape(2, 4, 3)  # T, frames, bands
    everything = np.ones_like(patches)
    line = recognise(patches, everything)
    if flat:
        line = recognise(patches.reshape(2, -1), everything.reshape(2, -1))
    shape = (4, 3) if flat else None
    figure = plots.attention_heatmap(waveform(line), RATE, line, ["a", "b", "c"], shape)
    _, sampled = meshes(figure, "band")
    assert edges(sampled) == [0, 0.5, 1, 1.5, 2, 2.5, 3]
    # The second window shares its first two frames' time with the first.
    np.testing.assert_array_equal(cells(sampled), np.vstack([patches[0], patches[1, 2:]]).T)
    names = [label.get_text() for label in panel(figure, "band").get_yticklabels()]
    assert names == ["a", "b", "c"]


def test_a_long_recording_is_drawn_without_numbers_in_its_cells():
    line = random_recognition(600, 40)
    figure = plots.attention_heatmap(waveform(line), RATE, line)
    assert written(panel(figure, "emotion")) == []
    (envelope,) = panel(figure, "amplitude").collections
    drawn = np.asarray(envelope.get_paths()[0].vertices)
    assert len(drawn) < 5000
    assert drawn[:, 1].max() == pytest.approx(1, abs=1e-3)


def test_a_clip_shorter_than_its_padded_window():
    line = random_recognition(1, 40) | {"duration": 0.1, "padded": True}
    figure = plots.attention_heatmap(waveform(line), RATE, line)
    assert panel(figure, "emotion").get_xlim() == (0, 2)


def test_saliency_that_does_not_exist_leaves_its_cells_empty():
    line = random_recognition(2, 40)
    line["instants"][0]["saliency"] = [None] * 40
    predicted, sampled = meshes(plots.attention_heatmap(waveform(line), RATE, line), "coefficient")
    assert np.ma.getmaskarray(cells(sampled))[:, 0].all()
    assert np.ma.getmaskarray(cells(predicted))[:, 0].all()


def test_rows_of_a_patch_are_marked_in_hertz():
    patches = np.ones((2, 4, 40))
    line = recognise(patches, patches)
    bands = FeatureSpec("log-mel", mel_bands=40, sample_rate=16000, statistics=()).band_frequencies
    figure = plots.attention_heatmap(waveform(line), RATE, line, band_frequencies=bands)
    axes = panel(figure, "mel band (Hz)")
    rows = dict(zip((label.get_text() for label in axes.get_yticklabels()),
                    axes.get_yticks(), strict=True))  # fmt: skip
    assert list(rows) == ["125", "250", "500", "1,000", "2,000", "4,000"]
    # librosa, asked for the edges of all bands too.
    expected = librosa.mel_frequencies(42, fmin=0, fmax=8000)[1:-1]
    np.testing.assert_allclose(np.array(bands), expected)
    assert expected[int(rows["1,000"])] == pytest.approx(1000, rel=0.1)


@pytest.mark.parametrize(("duration", "padded"), [(0.5, True), (2.5, False)])
def test_what_follows_the_recording_is_marked(duration: float, padded: bool):
    line = random_recognition(1, 40) | {"duration": duration}
    figure = plots.attention_heatmap(waveform(line), RATE, line)
    assert (written(panel(figure, "amplitude")) == ["padding"]) == padded
    hatched = [
        patch for axes in figure.axes for patch in axes.patches if patch.get_hatch() is not None
    ]
    assert [patch.get_extents().width > 0 for patch in hatched] == [True, True] * padded


def test_the_true_emotion_stands_beside_the_one_recognised():
    line = random_recognition(2, 40)
    figure = plots.attention_heatmap(waveform(line), RATE, line, true_emotion="sad")
    title = panel(figure, "amplitude").get_title()
    assert title == "hello.wav\nrecognised: happy (70 %), true: sad"


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


@pytest.mark.parametrize("name", ["$broken_{.wav", "a\nb\udcff.wav", "<b>.wav", "n" * 300 + ".wav"])
def test_any_file_name_can_be_a_title(name: str):
    line = random_recognition(2, 40) | {"file": f"/somewhere/{name}"}
    figure = plots.attention_heatmap(waveform(line), RATE, line)
    plots.png(figure)
    title = panel(figure, "amplitude").get_title()
    assert title.endswith(": happy (70 %)")
    assert "somewhere" not in title


def test_a_heat_map_needs_instants_and_one_channel():
    line = random_recognition(2, 40)
    with pytest.raises(ValueError, match="0 instants"):
        plots.attention_heatmap(np.zeros(10), RATE, line | {"instants": []})
    with pytest.raises(ValueError, match=r"\(10, 2\)"):
        plots.attention_heatmap(np.zeros((10, 2)), RATE, line)
