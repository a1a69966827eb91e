"""Figures of an evaluation, a training run and the paper's tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from ser_keras.evaluation.plots.canvas import BLUE, GRAY, ORANGE, WIDTH, panel, styled

# Titles of what a training records; of any other Keras metric it is its name.
_TITLES = {
    "loss": "loss (the weighted sum)",
    "elbo": "evidence lower bound",
    "generation_nll": "prediction (−log N)",
    "kl": "KL divergence",
    "class_cross_entropy": "class cross-entropy",
    "accuracy": "weighted accuracy",
    "sampled_fraction": "sampled, all instants",
    "sampled_fraction_after_first": "sampled after the first",
}
# Units of Keras metrics, by the words of their names.
_PERCENT = {"accuracy", "fraction", "sampled", "recall", "precision"}
_NATS = {"loss", "nll", "kl", "entropy", "crossentropy", "elbo", "likelihood"}


@styled
def confusion_matrix(matrix: ArrayLike, labels: Sequence[str]) -> Figure:
    """Draw counts of utterances, coloured by their share of the true emotion.

    Args:
        matrix: counts [C, C], true emotion by recognised emotion.
        labels: the C emotions.

    Example:
        >>> figure = ser.plots.confusion_matrix([[3, 1], [0, 2]], ["happy", "sad"])
        >>> [text.get_text() for text in figure.axes[0].texts]
        ['3', '1', '0', '2']
    """
    counts = np.asarray(matrix)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(100 * counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    texts = [f"{count:g}" for count in counts.flat]
    figure, axes = _matrix(shares, texts, labels, (0, 100), "share of the true emotion (%)")
    axes.set(xlabel="recognised emotion (utterances)", ylabel="true emotion (utterances)")
    return figure


@styled
def attention_similarity(matrix: ArrayLike, labels: Sequence[str]) -> Figure:
    """Draw the similarity of the emotions' mean attention, as the paper's Figure 2.

    Args:
        matrix: absolute cosines [C, C] in 0..1; NaN where an emotion has no instant to compare.
        labels: the C emotions.

    Example:
        >>> figure = ser.plots.attention_similarity([[1, 0.5], [0.5, 1]], ["happy", "sad"])
        >>> [text.get_text() for text in figure.axes[0].texts]
        ['1.00', '0.50', '0.50', '1.00']
    """
    similarity = np.array(matrix, dtype=float)
    # Attention differs little between emotions. Colours are comparable between runs all the same:
    # the numbers tell how much.
    digits = 2 if np.nanmin(similarity, initial=1.0) < 0.9 else 3
    texts = [f"{cosine:.{digits}f}" if np.isfinite(cosine) else "–" for cosine in similarity.flat]
    cosines = np.ma.masked_invalid(similarity)
    color_label = "absolute cosine of mean attention (0 to 1)"
    figure, axes = _matrix(cosines, texts, labels, (0, 1), color_label)
    axes.set(xlabel="emotion", ylabel="emotion")
    return figure


@styled
def learning_curves(history: Mapping[str, Sequence[float]]) -> Figure:
    """Draw one panel per metric of a Keras history, training and validation together.

    Args:
        history: values per epoch, by metric; `val_NAME` joins `NAME`, and `epoch` is left out.

    Example:
        >>> figure = ser.plots.learning_curves({"loss": [3.0, 2.0], "val_loss": [3.1, 2.5]})
        >>> [line.get_label() for line in figure.axes[0].get_lines()]
        ['training', 'validation']
    """
    names = list(dict.fromkeys(key.removeprefix("val_") for key in history if key != "epoch"))
    if not names:
        raise ValueError("history: expected at least one metric, found none")
    columns = min(2, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(WIDTH, 0.5 + 2 * rows), layout="constrained")
    for number, name in enumerate(names, start=1):
        _learning_curve(figure.add_subplot(rows, columns, number), name, history)
    lines = {str(line.get_label()): line for axes in figure.axes for line in axes.get_lines()}
    figure.legend(list(lines.values()), list(lines), loc="outside upper center", ncols=2)
    return figure


@styled
def sampled_fraction(
    with_first: Mapping[str, float],
    after_first: Mapping[str, float] | None = None,
    published: Mapping[str, float] | None = None,
) -> Figure:
    """Draw the share of the observation that is sampled, per emotion: the paper's Table 2.

    Args:
        with_first: fractions 0..1 by emotion, over all instants.
        after_first: the same without first instants, which sample everything.
        published: the paper's, where it has this corpus.

    Example:
        >>> figure = ser.plots.sampled_fraction({"sad": 0.4}, published={"sad": 0.6})
        >>> [line.get_label() for line in figure.axes[0].get_lines()]
        ['all instants', 'paper', 'Gaussian error, 42.5 %']
    """
    figure, axes = panel(len(with_first), height_per_row=0.32, height=1.6)
    series = (
        (with_first, "all instants", "o", BLUE, "full"),
        (after_first, "after the first", "o", BLUE, "none"),
        (published, "paper", "D", ORANGE, "full"),
    )
    for fractions, name, marker, color, fill in series:
        if fractions:
            rows = [row for row, emotion in enumerate(with_first) if emotion in fractions]
            found = [fractions[emotion] for emotion in with_first if emotion in fractions]
            shares = 100 * np.array(found, dtype=float)
            axes.plot(shares, rows, marker, color=color, fillstyle=fill, markersize=7, label=name)
    # The share of Gaussian prediction errors above their own mean absolute value.
    axes.axvline(42.5, color=GRAY, linestyle=":", label="Gaussian error, 42.5 %")
    axes.set(xlabel="share of the observation sampled (%)", ylabel="emotion", xlim=(0, 100))
    _finish_rows(figure, axes, list(with_first))
    return figure


@styled
def accuracy_comparison(
    ours: Mapping[str, Sequence[float]], published: Mapping[str, float]
) -> Figure:
    """Draw the weighted accuracy of every run beside published numbers: the paper's Table 1.

    Args:
        ours: accuracies 0..1 of the runs, by model.
        published: accuracies 0..1, by model.

    Example:
        >>> figure = ser.plots.accuracy_comparison({"ours": [0.6, 0.7]}, {"paper": 0.8})
        >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
        ['ours', 'paper']
    """
    figure, axes = panel(len(ours) + len(published), height_per_row=0.34, height=1.4)
    runs = 100 * np.concatenate(list(ours.values()))
    rows = np.repeat(np.arange(len(ours)), [len(accuracies) for accuracies in ours.values()])
    axes.plot(runs, rows, "o", color=BLUE, alpha=0.6, label="one run")
    means = [100 * np.mean(accuracies) for accuracies in ours.values()]
    axes.plot(means, range(len(ours)), "|k", markersize=16, markeredgewidth=2, label="mean")
    if published:
        values = [100 * accuracy for accuracy in published.values()]
        below = len(ours) + np.arange(len(published))
        axes.plot(values, below, "D", color=ORANGE, label="published")
    axes.set(xlabel="weighted accuracy (%)", ylabel="model")
    _finish_rows(figure, axes, [*ours, *published])
    return figure


@styled
def reliability(bins: Sequence[Mapping[str, float]]) -> Figure:
    """Draw how often answers are right, by how sure the model is of them.

    Args:
        bins: of confidence: its mean, the accuracy and the number of utterances, as `reliability`
            of `evaluation.json`; confidence and accuracy are 0..1.

    Example:
        >>> bins = [{"utterances": 9, "confidence": 0.4, "accuracy": 0.5}]
        >>> ser.plots.reliability(bins).axes[0].get_xlabel()
        'probability of the recognised emotion (%)'
    """
    figure = Figure(figsize=(WIDTH, 4.6), layout="constrained")
    above, below = figure.subplots(2, sharex=True, height_ratios=[3, 1])
    confidences = [100 * each["confidence"] for each in bins]
    accuracies = [100 * each["accuracy"] for each in bins]
    above.plot([0, 100], [0, 100], color=GRAY, linestyle=":", label="as sure as right")
    above.plot(confidences, accuracies, "o-", color=BLUE, label="found")
    above.set(ylabel="right (%)", ylim=(0, 100))
    above.grid()
    below.bar(confidences, [each["utterances"] for each in bins], width=3, color=BLUE)
    below.set(ylabel="utterances", xlim=(0, 100))
    below.set_xlabel("probability of the recognised emotion (%)")
    above.set_xlabel(below.get_xlabel())
    above.xaxis.label.set_visible(False)
    figure.legend(loc="outside upper center", ncols=2)
    return figure


def evaluation_figures(
    evaluation: Mapping[str, Any],
    history: Mapping[str, Sequence[float]] | None = None,
    paper: Mapping[str, Any] | None = None,
) -> dict[str, Figure]:
    """Draw all figures of an `evaluation.json`, by the name that is also their file's.

    Args:
        evaluation: the content of `evaluation.json`.
        history: the Keras history of the run, if there is one.
        paper: the published numbers for this corpus, as `paper` of `reproduction.json`.

    Example:
        >>> evaluation = ser.evaluate(model, corpus, progress=False).to_dict()
        >>> list(ser.plots.evaluation_figures(evaluation))
        ['confusion_matrix', 'sampled_fraction', 'attention_similarity', 'reliability']
    """
    labels, sampled = evaluation["labels"], evaluation["sampled_fraction"]
    figures = {
        "confusion_matrix": confusion_matrix(evaluation["confusion_matrix"], labels),
        "sampled_fraction": sampled_fraction(
            sampled["per_emotion"], sampled["per_emotion_after_first"], (paper or {}).get("table2")
        ),
        "attention_similarity": attention_similarity(evaluation["attention_similarity"], labels),
    }
    if evaluation.get("reliability"):
        figures["reliability"] = reliability(evaluation["reliability"])
    return figures | ({"learning_curves": learning_curves(history)} if history else {})


def reproduction_figures(reproduction: Mapping[str, Any]) -> dict[str, Figure]:
    """Draw all figures of a `reproduction.json`, by the name that is also their file's.

    Example:
        >>> ours = {"weighted_accuracy": {"runs": [0.6, 0.7]}}
        >>> figure2 = {"labels": ["sad"], "similarity": [[1.0]]}
        >>> reproduction = {"attention": ours, "no_attention": ours, "paper": {}}
        >>> reproduction |= {"table2": {"sad": 0.4}, "figure2": figure2}
        >>> list(ser.plots.reproduction_figures(reproduction))
        ['accuracy', 'sampled_fraction', 'attention_similarity']
    """
    paper, figure2 = reproduction["paper"], reproduction["figure2"]
    # A model has the same name here, in the report and in benchmarks/.
    models = {"attention": "with attention", "no_attention": "without attention"}
    ours = {
        f"ours, {title}": reproduction[model]["weighted_accuracy"]["runs"]
        for model, title in models.items()
    }
    published = {
        f"paper, {models[model]}": accuracy
        for model, accuracy in paper.get("weighted_accuracy", {}).items()
    }
    published |= {other["model"]: other["weighted_accuracy"] for other in paper.get("others", ())}
    return {
        "accuracy": accuracy_comparison(ours, published),
        "sampled_fraction": sampled_fraction(
            reproduction["table2"], reproduction.get("table2_after_first"), paper.get("table2")
        ),
        "attention_similarity": attention_similarity(figure2["similarity"], figure2["labels"]),
    }


def _matrix(
    values: NDArray[Any],
    texts: Sequence[str],
    labels: Sequence[str],
    limits: tuple[float, float],
    color_label: str,
) -> tuple[Figure, Axes]:
    """Draw a square matrix [C, C] as colours, with a text in each cell."""
    if values.shape != (len(labels), len(labels)):
        raise ValueError(
            f"matrix: expected a square over {len(labels)} labels, found shape {values.shape}"
        )
    figure, axes = panel(len(labels), height_per_row=0.4, height=2)
    image = axes.imshow(values, cmap="Blues", vmin=limits[0], vmax=limits[1], aspect="auto")
    figure.colorbar(image, ax=axes, label=color_label, fraction=0.05, pad=0.02)
    axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(labels)), labels)
    for (row, column), text in zip(np.ndindex(values.shape), texts, strict=True):
        color = "white" if values[row, column] > sum(limits) / 2 else "black"
        axes.text(column, row, text, ha="center", va="center", color=color)
    return figure, axes


def _learning_curve(axes: Axes, name: str, history: Mapping[str, Sequence[float]]) -> None:
    words = set(name.split("_"))
    unit = "%" if words & _PERCENT else "nats" if words & _NATS else ""
    curves = ((name, "training", BLUE, "-"), (f"val_{name}", "validation", ORANGE, "--"))
    for key, label, color, line in curves:
        if key not in history:
            continue
        values = np.array(history[key], dtype=float) * (100 if unit == "%" else 1)
        # With validation_freq, Keras lists only the epochs that were validated.
        every = max(1, len(history.get(name, values)) // max(1, len(values)))
        epochs = every * np.arange(1, len(values) + 1)
        marker = "o" if len(values) == 1 else None
        axes.plot(epochs, values, line, color=color, label=label, linewidth=1.6, marker=marker)
    quantity = _TITLES.get(name, name.replace("_", " "))
    axes.set(title=quantity, xlabel="epoch", ylabel=unit or quantity)
    axes.locator_params(axis="x", nbins=5, integer=True)
    axes.grid(axis="y")


def _finish_rows(figure: Figure, axes: Axes, names: Sequence[str]) -> None:
    """Name the rows of a dot plot, put the first on top, and the legend above."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid()
    entries = len(axes.get_lines())
    figure.legend(loc="outside upper center", ncols=3 if entries == 3 else 2)
