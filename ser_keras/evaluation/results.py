"""The files that an evaluation leaves: numbers, predictions, plots and a report.

Functions that write raise `OutputError` where they cannot.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from ser_keras import provenance
from ser_keras.corpora import splits
from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import ConfigurationError, CorpusError
from ser_keras.evaluation import paper, plots, report
from ser_keras.evaluation.evaluate import Evaluation, evaluate
from ser_keras.evaluation.explanation.explanation import LONGEST, explain
from ser_keras.evaluation.other_answers import RULES, percent, tabulate
from ser_keras.files import finite, write_csv, write_json
from ser_keras.model.vrnn import VRNN
from ser_keras.training.history import read_history
from ser_keras.training.run import HISTORY_FILE, SPLIT_FILE, TrainingRun, read_run

EVALUATION_FILE = "evaluation.json"
PREDICTIONS_FILE = "predictions.csv"
REPORT_FILE = "report.html"

_EXAMPLES_AMONG = 20  # first utterances, of which the longest is drawn


def evaluate_run(
    model: VRNN, folder: Path, out: Path, figures: bool = True, **others: bool
) -> Evaluation:
    """Evaluate a run on its own test subset and write the results.

    Args:
        model: the run's model.
        folder: the run's folder.
        out: an existing folder for the results.
        figures: also draw plots and a report.
        **others: which other answers to measure, `among_corpus` and `adapt_speakers`, as for
            `evaluate`.

    Raises:
        ConfigurationError: the folder holds no run.
        CorpusError: the run's corpus no longer holds its test subset.

    Example:
        >>> evaluate_run(model, Path("no-run"), Path("."))
        Traceback (most recent call last):
        ser_keras.errors.ConfigurationError: no-run: expected the folder of a run, ...
    """
    run = read_run(folder)
    corpus = test_subset(run, folder)
    evaluation = evaluate(
        model, corpus, split=run.split, seed=run.seed, features=run.features, **others
    )
    write(evaluation, out)
    if figures:
        rows = read_history(folder / HISTORY_FILE)
        history = {name: [row[name] for row in rows] for name in (rows[0] if rows else {})}
        draw(evaluation, model, corpus, out, history, run.to_dict())
    return evaluation


def test_subset(run: TrainingRun, folder: Path) -> Corpus:
    """Return the test subset that `split.csv` in a run's folder names.

    Raises:
        CorpusError: the file names none, or utterances that the corpus does not hold.

    Example:
        >>> write_csv(Path("corpus.csv"), [{"path": wav, "emotion": corpus[0].emotion}])
        >>> test = ser.corpora.load("manifest", "corpus.csv")
        >>> ser.splits.write("split.csv", {"test": test})
        >>> test_subset(TrainingRun("manifest", "corpus.csv"), Path(".")) == test
        True
    """
    subsets = splits.read(folder / SPLIT_FILE, run.load_corpus())
    if "test" not in subsets:
        raise CorpusError(
            f"{folder / SPLIT_FILE}: expected a test subset, found {', '.join(subsets)}"
        )
    return subsets["test"]


def write(evaluation: Evaluation, out: Path) -> None:
    """Write `evaluation.json` and `predictions.csv` to an existing folder.

    Example:
        >>> write(ser.evaluate(model, corpus, progress=False), Path("."))
        >>> len(Path("predictions.csv").read_text().splitlines())
        33
    """
    write_csv(out / PREDICTIONS_FILE, evaluation.predictions)
    # Last, since `reproduce` takes it for the sign of a finished run.
    write_json(out / EVALUATION_FILE, evaluation.to_dict())


def read(folder: Path) -> dict[str, Any]:
    """Return the content of `evaluation.json` in a folder.

    Example:
        >>> write_json(Path("evaluation.json"), {"n_test": 16})
        >>> read(Path("."))
        {'n_test': 16}
    """
    return json.loads((folder / EVALUATION_FILE).read_text(encoding="utf-8"))


def read_predictions(folder: Path) -> list[dict[str, str]]:
    """Return the rows of `predictions.csv` in a folder.

    Raises:
        ConfigurationError: the folder holds no evaluation.

    Example:
        >>> write(ser.evaluate(model, corpus, progress=False), Path("."))
        >>> read_predictions(Path("."))[0]["emotion"]
        'angry'
    """
    path = folder / PREDICTIONS_FILE
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except OSError as error:
        raise ConfigurationError(
            f"{path}: expected what `ser-keras evaluate` writes, found none ({error.strerror})"
        ) from error


def draw(
    evaluation: Evaluation,
    model: VRNN,
    corpus: Corpus,
    out: Path,
    history: dict[str, list[float]] | None = None,
    configuration: dict[str, Any] | None = None,
) -> None:
    """Draw an evaluation's plots, the attention on one utterance, and `report.html`.

    Where the utterance's recording is not, as on a machine that has shards alone, it is left out.

    Args:
        evaluation: the evaluation.
        model: the model evaluated.
        corpus: the test subset.
        out: an existing folder for the files.
        history: metrics by epoch, each under its name, for the learning curves.
        configuration: of the run, for the report.

    Example:
        >>> draw(ser.evaluate(model, corpus, progress=False), model, corpus, Path("."))
        >>> Path("report.html").exists(), Path("attention.png").exists()
        (True, True)
    """
    numbers = finite(evaluation.to_dict())
    published = paper.published(corpus.name)
    figures = plots.evaluation_figures(numbers, history, published)
    example = _example(evaluation, model, corpus)
    drawn = {} if example is None else {"attention": example[1]}
    for name, figure in {**figures, **drawn}.items():
        plots.save(figure, out / f"{name}.png")
    record = {
        "run": configuration or {},
        "versions": provenance.versions(),
        "git": provenance.git_state(),
    }
    html = report.evaluation_report(
        numbers, figures, record, [example] if example else [], published
    )
    report.write(out / REPORT_FILE, html)


def _example(
    evaluation: Evaluation, model: VRNN, corpus: Corpus
) -> tuple[dict[str, Any], Figure] | None:
    """Recognise the longest of the first utterances evaluated; return the line and its picture."""
    longest = max(evaluation.predictions[:_EXAMPLES_AMONG], key=lambda row: row["instants"])
    stretch = longest["start"], longest["end"], longest.get("channel")
    [path] = {
        utterance.path
        for utterance in corpus
        if corpus.relative_path(utterance) == longest["file"]
        and (utterance.start, utterance.end, utterance.channel) == stretch
    }
    if not path.exists():
        missing = "expected the recording, found none; its attention is not drawn"
        print(f"{path}: {missing}", file=sys.stderr)
        return None
    start, end, channel = stretch
    if model.features.end_of_window(longest["instants"]) > LONGEST:
        end = (start or 0.0) + LONGEST
    explanation = explain(model, path, start=start, end=end, channel=channel)
    line = {**explanation.answer, "file": longest["file"]}
    return line, explanation.plot(true_emotion=longest["emotion"])


def summary(evaluation: Evaluation) -> str:
    """Format a small table for the terminal.

    Example:
        >>> table = summary(ser.evaluate(model, corpus, progress=False))
        >>> table.splitlines()[4]
        'utterances                32'
    """
    sampled = evaluation.sampled_fraction
    low, high = evaluation.intervals["unweighted_accuracy"]
    over, level = evaluation.intervals["over"], evaluation.intervals["level"]
    interval = f"{level:.0%} interval {percent(low)} to {percent(high)}, over {over}"
    lines = [
        f"weighted accuracy     {percent(evaluation.weighted_accuracy):>7}",
        f"unweighted accuracy   {percent(evaluation.unweighted_accuracy):>7}   {interval}",
        f"sampled, all instants {percent(sampled.with_first):>7}",
        f"sampled after first   {percent(sampled.after_first):>7}",
        f"utterances            {evaluation.n_test:6d}",
        f"parameters         {evaluation.parameters:9,d}",
        "",
        f"{'emotion':<20}{'recall':>8}{'sampled':>10}",
    ]
    for label in evaluation.labels:
        recall, share = evaluation.recall[label], sampled.per_emotion[label]
        lines.append(f"{label:<20}{percent(recall):>8}{percent(share):>10}")
    return "\n".join([*lines, *_by_corpus(evaluation)])


def _by_corpus(evaluation: Evaluation) -> list[str]:
    """Format accuracy by corpus, and by other answers, where that was measured."""
    answered = {name: getattr(evaluation, name) for name in RULES}
    measured = {name: answers for name, answers in answered.items() if answers is not None}
    whole = [dataclasses.asdict(answers) for answers in measured.values()]
    rows = [(evaluation.corpus, [evaluation.to_dict(), *whole])] if measured else []
    for name, accuracies in evaluation.by_corpus.items():
        others = (answers.by_corpus[name] for answers in measured.values())
        rows.append((name, [accuracies, *others]))
    return ["", *tabulate("corpus", rows, [*measured])] if rows else []
