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

from ser_keras import corpora, provenance
from ser_keras.corpora import splits
from ser_keras.evaluation import paper, plots, report, results
from ser_keras.files import finite, output_folder, write_json
from ser_keras.interruption import deferred
from ser_keras.training.run import TrainingRun, refuse_another, split_corpus
from ser_keras.training.train import train

REPRODUCTION_FILE = "reproduction.json"

WITH, WITHOUT = "attention", "no_attention"


def reproduce(run: TrainingRun, out: Path, seeds: int = 3) -> dict[str, Any]:
    """Train and evaluate with and without attention on every split; resumes after a kill.

    Every run trains on the whole training part for the preset's epochs: the test part chooses
    nothing.

    Args:
        run: what to reproduce; its seed is the first, its fold is not used.
        out: gets `reproduction.json`, `report.html`, plots, and a folder per run.
        seeds: how many random splits; folds are always all of the corpus'.

    Returns:
        What `reproduction.json` holds.

    Raises:
        ConfigurationError: the folder holds runs of another configuration.
        CorpusError: the corpus or a split cannot be used.
        OutputError: the folder cannot be written to.
    """
    out = output_folder(out)
    began = time.monotonic()
    runs = _runs(run, seeds)
    for name, _, single in runs:
        # Here and not only in `train`, which is not called for finished runs.
        refuse_another(out / "runs" / name, single, split_corpus(single))
    found: dict[str, list[dict[str, Any]]] = {WITH: [], WITHOUT: []}
    for number, (name, kind, single) in enumerate(runs, start=1):
        folder = out / "runs" / name
        if not (folder / results.EVALUATION_FILE).exists():
            label = f"run {number} of {len(runs)} ({name})"
            model = train(single, folder, label)
            results.evaluate_run(model, folder, folder, figures=False)
            with deferred():
                keras.backend.clear_session()
        found[kind].append(results.read(folder))
        accuracy = found[kind][-1]["weighted_accuracy"]
        print(f"{name}: weighted accuracy {accuracy:.1%}", file=sys.stderr, flush=True)

    reproduction = {
        "corpus": run.corpus,
        "preset": run.preset.name,
        "protocol": _protocol(run, seeds, len(found[WITH])),
        WITH: summarize(found[WITH]),
        WITHOUT: summarize(found[WITHOUT]),
        "table2": _mean_by_label(found[WITH], "per_emotion"),
        "table2_after_first": _mean_by_label(found[WITH], "per_emotion_after_first"),
        "figure2": {
            "labels": found[WITH][0]["labels"],
            "similarity": _mean([evaluation["attention_similarity"] for evaluation in found[WITH]]),
        },
        "paper": paper.published(run.corpus),
        "seconds": time.monotonic() - began,
        "versions": provenance.versions(),
        "git": provenance.git_state(),
    }
    reproduction = finite(reproduction)
    write_json(out / REPRODUCTION_FILE, reproduction)
    figures = plots.reproduction_figures(reproduction)
    for name, figure in figures.items():
        plots.save(figure, out / f"{name}.png")
    configuration = {"run": run.to_dict(), "git": provenance.git_state()}
    report.write(
        out / results.REPORT_FILE,
        report.reproduction_report(reproduction, figures, configuration),
    )
    return reproduction


def _runs(run: TrainingRun, seeds: int) -> list[tuple[str, str, TrainingRun]]:
    """Name, kind and configuration of every single training."""
    if run.split == "random":
        name, places = "seed", range(run.seed, run.seed + seeds)
    else:
        folds = splits.folds(corpora.load(run.corpus, run.data), run.split)
        name, places = "fold", range(folds)
    return [
        (
            f"{kind.replace('_', '-')}-{name}-{split_index}",
            kind,
            dataclasses.replace(
                run.on_split(split_index),
                preset=run.preset.with_settings({"attention": kind == WITH}),
                validation_fraction=0.0,
            ),
        )
        for split_index in places
        for kind in (WITH, WITHOUT)
    ]


def _protocol(run: TrainingRun, seeds: int, folds: int) -> dict[str, Any]:
    if run.split == "random":
        return {"split": run.split, "test_fraction": run.test_fraction, "seeds": seeds}
    return {"split": run.split, "folds": folds}


def summarize(evaluations: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What runs of one setting reach together, of the `evaluation.json` of each."""
    return {
        "weighted_accuracy": spread([e["weighted_accuracy"] for e in evaluations]),
        "unweighted_accuracy": spread([e["unweighted_accuracy"] for e in evaluations]),
        "sampled_fraction": {
            part: _mean([e["sampled_fraction"][part] for e in evaluations])
            for part in ("with_first", "after_first")
        },
        "parameters": evaluations[0]["parameters"],
    }


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Mean, standard deviation of the sample (n − 1; 0 for a single run) and the runs."""
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return {"mean": float(np.mean(values)), "std": deviation, "runs": list(values)}


def _mean_by_label(evaluations: Sequence[dict[str, Any]], part: str) -> dict[str, float | None]:
    return {
        label: _mean([evaluation["sampled_fraction"][part][label] for evaluation in evaluations])
        for label in evaluations[0]["labels"]
    }


def _mean(values: Sequence[Any]) -> Any:
    """Mean over runs of a number or a matrix; what is missing in one run is left out."""
    stacked = np.array(values, dtype=np.float64)
    present = np.sum(np.isfinite(stacked), axis=0)
    total = np.nansum(stacked, axis=0)
    mean = np.where(present > 0, total / np.maximum(present, 1), np.nan)
    return mean.tolist()


def summary(reproduction: dict[str, Any]) -> str:
    """Table 1 for the terminal: ours beside the paper's."""
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
    return "\n".join(lines)
