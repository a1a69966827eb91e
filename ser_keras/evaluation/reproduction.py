"""Tables 1 and 2, Figure 2 and the ablation, over random splits or all folds."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ser_keras import provenance
from ser_keras.corpora import splits
from ser_keras.evaluation import paper, plots, report, results
from ser_keras.evaluation.intervals import difference_intervals
from ser_keras.evaluation.metrics import ACCURACIES
from ser_keras.files import finite, output_folder, write_json
from ser_keras.interruption import deferred
from ser_keras.training.run import TrainingRun, refuse_another, split_corpus
from ser_keras.training.train import train

REPRODUCTION_FILE = "reproduction.json"

WITH, WITHOUT = "attention", "no_attention"


def reproduce(run: TrainingRun, out: Path, seeds: int = 3) -> dict[str, Any]:
    """Train and evaluate with and without attention on every split; resume after a kill.

    Every run trains on the whole training subset for the preset's epochs: the test subset chooses
    nothing.

    Args:
        run: what to reproduce; its seed is the first, its fold is not used.
        out: folder for `reproduction.json`, `report.html`, plots, and a folder per run.
        seeds: number of random splits; folds are always all of the corpus'.

    Returns:
        The content of `reproduction.json`.

    Raises:
        ConfigurationError: the folder holds runs of another configuration.
        CorpusError: the corpus or a split cannot be used.
        OutputError: the folder cannot be written to.

    Example:
        >>> reproduce(TrainingRun("manifest", "no.csv"), Path("out"), seeds=1)
        Traceback (most recent call last):
        ser_keras.errors.CorpusError: ...
    """
    output_folder(out)
    began = time.monotonic()
    runs = _runs(run, out, seeds)
    for folder, single in runs.items():
        # Here and not only in `train`, which does not train finished runs again.
        refuse_another(folder, single, split_corpus(single))
    evaluations: dict[str, list[dict[str, Any]]] = {WITH: [], WITHOUT: []}
    predictions: dict[str, list[list[dict[str, str]]]] = {WITH: [], WITHOUT: []}
    for number, (folder, single) in enumerate(runs.items(), start=1):
        label = f"run {number} of {len(runs)} ({folder.name})"
        evaluation = train_and_evaluate(single, folder, label)
        kind = WITH if single.preset.architecture.attention else WITHOUT
        evaluations[kind].append(evaluation)
        predictions[kind].append(results.read_predictions(folder))
        accuracy = evaluation["weighted_accuracy"]
        print(f"{folder.name}: weighted accuracy {accuracy:.1%}", file=sys.stderr, flush=True)

    attending = evaluations[WITH]
    reproduction = finite(
        {
            "corpus": run.corpus_name,
            "preset": run.preset.name,
            "protocol": _protocol(run, splits_evaluated=len(attending)),
            WITH: summarize(attending),
            WITHOUT: summarize(evaluations[WITHOUT]),
            "difference": difference_intervals(
                list(zip(predictions[WITH], predictions[WITHOUT], strict=True)),
                attending[0]["labels"],
            ),
            "table2": _mean_by_label(attending, "per_emotion"),
            "table2_after_first": _mean_by_label(attending, "per_emotion_after_first"),
            "figure2": {
                "labels": attending[0]["labels"],
                "similarity": _mean([each["attention_similarity"] for each in attending]),
            },
            "paper": paper.published(run.corpus_name),
            "seconds": time.monotonic() - began,
            "versions": provenance.versions(),
            "git": provenance.git_state(),
        }
    )
    _write(reproduction, run, out)
    return reproduction


def _runs(run: TrainingRun, out: Path, seeds: int) -> dict[Path, TrainingRun]:
    """Return every training by its folder, both kinds for each split."""
    if run.split == "random":
        name, split_indexes = "seed", range(run.seed, run.seed + seeds)
    else:
        folds = splits.folds(run.load_corpus(), run.split, run.folds)
        name, split_indexes = "fold", range(folds)
    runs = {}
    for split_index in split_indexes:
        for kind in (WITH, WITHOUT):
            preset = run.preset.with_settings({"attention": kind == WITH})
            folder = out / "runs" / f"{kind.replace('_', '-')}-{name}-{split_index}"
            runs[folder] = dataclasses.replace(
                run.on_split(split_index), preset=preset, validation_fraction=0.0
            )
    return runs


def train_and_evaluate(
    run: TrainingRun,
    folder: Path,
    label: str,
    among_corpus: bool = False,
    adapt_speakers: bool = False,
) -> dict[str, Any]:
    """Return the run's `evaluation.json`, after what is still to be done for it.

    Args:
        run: the run.
        folder: its folder, where a finished evaluation that has all that is asked for is taken as
            it is.
        label: of its progress.
        among_corpus: also measure these answers, as `evaluate` does.
        adapt_speakers: likewise.

    Example:
        >>> write_json(Path("evaluation.json"), {"n_test": 16})
        >>> train_and_evaluate(TrainingRun("synthetic"), Path("."), "finished")
        {'n_test': 16}
    """
    asked = {"among_corpus": among_corpus, "adapted_speakers": adapt_speakers}
    wanted = {name for name, also in asked.items() if also}
    if (folder / results.EVALUATION_FILE).exists():
        evaluation = results.read(folder)
        if wanted <= evaluation.keys():
            return evaluation
    model = train(run, folder, label)
    results.evaluate_run(
        model,
        folder,
        folder,
        figures=False,
        among_corpus=among_corpus,
        adapt_speakers=adapt_speakers,
    )
    with deferred():
        keras.backend.clear_session()
    return results.read(folder)


def _protocol(run: TrainingRun, splits_evaluated: int) -> dict[str, Any]:
    if run.split != "random":
        return {"split": run.split, "folds": splits_evaluated}
    return {"split": "random", "test_fraction": run.test_fraction, "seeds": splits_evaluated}


def _write(reproduction: dict[str, Any], run: TrainingRun, out: Path) -> None:
    write_json(out / REPRODUCTION_FILE, reproduction)
    figures = plots.reproduction_figures(reproduction)
    for name, figure in figures.items():
        plots.save(figure, out / f"{name}.png")
    configuration = {"run": run.to_dict(), "git": reproduction["git"]}
    html = report.reproduction_report(reproduction, figures, configuration)
    report.write(out / results.REPORT_FILE, html)


def summarize(evaluations: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Summarize runs of one setting, given the `evaluation.json` of each.

    Example:
        >>> run = {"weighted_accuracy": 0.7, "unweighted_accuracy": 0.6, "parameters": 1000}
        >>> run["sampled_fraction"] = {"with_first": 0.6, "after_first": 0.4}
        >>> summarize([run])["weighted_accuracy"]
        {'mean': 0.7, 'std': 0.0, 'runs': [0.7]}
    """
    return {
        "weighted_accuracy": spread([each["weighted_accuracy"] for each in evaluations]),
        "unweighted_accuracy": spread([each["unweighted_accuracy"] for each in evaluations]),
        "sampled_fraction": {
            instants: _mean([each["sampled_fraction"][instants] for each in evaluations])
            for instants in ("with_first", "after_first")
        },
        "parameters": evaluations[0]["parameters"],
    }


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Return mean, standard deviation of the sample (n − 1; 0 for a single run) and the runs.

    Example:
        >>> spread([0.5])
        {'mean': 0.5, 'std': 0.0, 'runs': [0.5]}
    """
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return {"mean": float(np.mean(values)), "std": deviation, "runs": list(values)}


def _mean_by_label(evaluations: Sequence[dict[str, Any]], key: str) -> dict[str, float | None]:
    return {
        label: _mean([each["sampled_fraction"][key][label] for each in evaluations])
        for label in evaluations[0]["labels"]
    }


def _mean(values: Sequence[Any]) -> Any:
    """Average a number or a matrix over runs; a value that is missing in a run is left out."""
    return np.ma.masked_invalid(np.array(values, np.float64)).mean(axis=0).tolist()


def summary(reproduction: dict[str, Any]) -> str:
    """Format Table 1 for the terminal, ours beside the paper's.

    Example:
        >>> accuracy = {"mean": 0.667, "std": 0.02}
        >>> ours = {"weighted_accuracy": accuracy, "unweighted_accuracy": accuracy}
        >>> ours["sampled_fraction"] = {"after_first": 0.4}
        >>> print(summary({"attention": ours, "no_attention": ours, "paper": {}}))
                                          WA              UA   sampled  paper WA
        with attention          66.7% ± 2.0%    66.7% ± 2.0%     40.0%         –
        without attention       66.7% ± 2.0%    66.7% ± 2.0%     40.0%         –
    """
    published = reproduction["paper"].get("weighted_accuracy", {})
    lines = [f"{'':<20}{'WA':>16}{'UA':>16}{'sampled':>10}{'paper WA':>10}"]
    for kind, name in ((WITH, "with attention"), (WITHOUT, "without attention")):
        ours = reproduction[kind]
        shown = "".join(
            f"{ours[key]['mean']:9.1%} ± {ours[key]['std']:4.1%}"
            for key in ("weighted_accuracy", "unweighted_accuracy")
        )
        after = ours["sampled_fraction"]["after_first"]
        sampled = "–" if after is None else f"{after:.1%}"
        theirs = f"{published[kind]:.1%}" if kind in published else "–"
        lines.append(f"{name:<20}{shown}{sampled:>10}{theirs:>10}")
    if "difference" in reproduction:
        difference = reproduction["difference"]
        shown = "".join(f"{difference[key]['value']:+9.1%}".ljust(16) for key in ACCURACIES)
        lines.append(f"{'difference':<20}{shown}".rstrip())
    return "\n".join(lines)
