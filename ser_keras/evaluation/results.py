"""The files that an evaluation leaves: numbers, answers, plots and a report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ser_keras import corpora, provenance
from ser_keras.corpora import splits
from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import AudioError, CorpusError
from ser_keras.evaluation import paper, plots, report
from ser_keras.evaluation.evaluate import Evaluation, evaluate
from ser_keras.files import finite, write_csv, write_json
from ser_keras.model.vrnn import VRNN
from ser_keras.recognition.recognizer import Recognizer
from ser_keras.sound import decoding
from ser_keras.training.history import read_history
from ser_keras.training.run import HISTORY_FILE, SPLIT_FILE, TrainingRun, read_run

EVALUATION_FILE = "evaluation.json"
PREDICTIONS_FILE = "predictions.csv"
REPORT_FILE = "report.html"


def test_subset(run: TrainingRun, folder: Path) -> Corpus:
    """The test part that a run's own `split.csv` names.

    Raises:
        CorpusError: the corpus no longer holds it.
    """
    corpus = corpora.load(run.corpus, run.data)
    parts = splits.read(folder / SPLIT_FILE, corpus)
    if "test" not in parts:
        raise CorpusError(
            f"{folder / SPLIT_FILE}: found the parts {', '.join(parts)}, expected one named test"
        )
    return parts["test"]


def evaluate_run(model: VRNN, folder: Path, out: Path, figures: bool = True) -> Evaluation:
    """Evaluate a run on its own test part and write what `evaluate` leaves.

    Args:
        model: the run's model.
        folder: the run's.
        out: an existing folder for the files.
        figures: also draw plots and a report.
    """
    run = read_run(folder)
    corpus = test_subset(run, folder)
    evaluation = evaluate(model, corpus, split=run.split, seed=run.seed)
    write(evaluation, out)
    if figures:
        rows = read_history(folder / HISTORY_FILE)
        history = {name: [row[name] for row in rows] for name in (rows[0] if rows else {})}
        draw(evaluation, model, corpus, out, history, run.to_dict())
    return evaluation


def write(evaluation: Evaluation, out: Path) -> None:
    """Write `evaluation.json` and `predictions.csv` to an existing folder.

    Raises:
        OutputError: they cannot be written.
    """
    write_csv(out / PREDICTIONS_FILE, evaluation.predictions)
    # The last: `reproduce` takes it for the sign of a finished run.
    write_json(out / EVALUATION_FILE, evaluation.to_dict())


def draw(
    evaluation: Evaluation,
    model: VRNN,
    corpus: Corpus,
    out: Path,
    history: dict[str, list[float]] | None = None,
    configuration: dict[str, Any] | None = None,
) -> None:
    """Draw an evaluation's plots, the attention on one utterance, and `report.html`."""
    numbers = finite(evaluation.to_dict())
    figures = plots.evaluation_figures(numbers, history, paper.published(corpus.name))
    examples = []
    line, waveform = example(model, corpus)
    if line:
        spec = model.features
        examples = [
            (
                line,
                plots.attention_heatmap(
                    waveform,
                    spec.sample_rate,
                    line,
                    coefficient_labels=spec.labels() if spec.patch_shape is None else None,
                    observation_shape=spec.patch_shape,
                ),
            )
        ]
        plots.save(examples[0][1], out / "attention.png")
    for name, figure in figures.items():
        plots.save(figure, out / f"{name}.png")
    html = report.evaluation_report(
        numbers,
        figures,
        {
            "run": configuration or {},
            "versions": provenance.versions(),
            "git": provenance.git_state(),
        },
        examples,
        paper.published(corpus.name),
    )
    report.write(out / REPORT_FILE, html)


def example(model: VRNN, corpus: Corpus) -> tuple[dict[str, Any], Any]:
    """What the model makes of the longest-lasting of the first utterances, and its waveform.

    Those of an emotion that the model does not know are passed over, as in the evaluation.
    """
    recognizer = Recognizer(model)
    rate = model.features.sample_rate
    best: tuple[dict[str, Any], Any] = ({}, None)
    for utterance in corpora.match(corpus, model.classes).corpus.utterances[:20]:
        try:
            waveform = decoding.load(utterance.path, rate, utterance.start, utterance.end)
        except AudioError:
            continue
        if best[1] is None or len(waveform) > len(best[1]):
            best = ({"file": corpus.relative_path(utterance)}, waveform)
    if best[1] is None:
        return best
    return {**best[0], **recognizer.recognize_samples(best[1])}, best[1]


def summary(evaluation: Evaluation) -> str:
    """A small table for the terminal."""
    sampled = evaluation.sampled_fraction
    lines = [
        f"weighted accuracy     {_percent(evaluation.weighted_accuracy):>7}",
        f"unweighted accuracy   {_percent(evaluation.unweighted_accuracy):>7}",
        f"sampled, all instants {_percent(sampled.with_first):>7}",
        f"sampled after first   {_percent(sampled.after_first):>7}",
        f"utterances            {evaluation.n_test:6d}",
        f"parameters         {evaluation.parameters:9,d}",
        "",
        f"{'emotion':<20}{'recall':>8}{'sampled':>10}",
    ]
    for label in evaluation.labels:
        recall, share = evaluation.recall[label], sampled.per_emotion[label]
        lines.append(f"{label:<20}{_percent(recall):>8}{_percent(share):>10}")
    return "\n".join(lines)


def _percent(fraction: float) -> str:
    return f"{fraction:.1%}" if np.isfinite(fraction) else "–"


def read(folder: Path) -> dict[str, Any]:
    """The `evaluation.json` in a folder."""
    return json.loads((folder / EVALUATION_FILE).read_text(encoding="utf-8"))
