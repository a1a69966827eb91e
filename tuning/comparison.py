"""The best of a search against the preset it began with, on the test part that neither has seen."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path
from typing import Any

from ser_keras.corpora.utterance import Corpus
from ser_keras.evaluation.reproduction import spread
from ser_keras.evaluation.results import evaluate_run
from ser_keras.files import finite, write_json, write_text
from ser_keras.model.settings import Preset
from ser_keras.training.run import TrainingRun
from ser_keras.training.train import train
from ser_keras.tuning.cross_validation import OBJECTIVES

PARTS_FILE = "corpus.csv"
COMPARISON_FILE = "comparison.json"
BEST, BASE = "best", "preset"


def write_parts(training: Corpus, test: Corpus, out: Path) -> Path:
    """Write the split as a manifest, so that any run can train and test on the very same parts.

    A split is drawn with the run's seed, and here several seeds share one split.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["path", "emotion", "speaker", "session", "split", "start", "end"])
    for name, part in (("train", training), ("test", test)):
        for utterance in part:
            ends = ["" if end is None else end for end in (utterance.start, utterance.end)]
            recording = [str(utterance.path.absolute()), utterance.emotion]
            table.writerow([*recording, utterance.speaker, utterance.session, name, *ends])
    path = out / PARTS_FILE
    write_text(path, text.getvalue())
    return path


def compare(
    best: Preset, base: Preset, trial: int, parts: Path, seeds: int, out: Path
) -> dict[str, Any]:
    """Train both on the whole training part with several seeds, and evaluate on the test part.

    Killed and called again, it goes on where it was.

    Args:
        best: the search's.
        base: the preset it began with, trained for its own epochs.
        trial: the best's number: one of a larger budget is another, trained in folders of its own.
        parts: what `write_parts` wrote.
        seeds: of the weights, the noise and the order, 0 to seeds - 1.
        out: folder of the runs and of `comparison.json`.

    Returns:
        What `comparison.json` holds: of both, mean, standard deviation and runs of both
        accuracies; and by how much the best is better.
    """
    found: dict[str, Any] = {"seeds": seeds}
    for kind, preset, folder_name in ((BEST, best, f"{BEST}-trial-{trial}"), (BASE, base, BASE)):
        evaluations = []
        for seed in range(seeds):
            folder = out / f"{folder_name}-seed-{seed}"
            run = TrainingRun(
                corpus="manifest",
                data=str(parts.absolute()),
                preset=preset,
                split="predefined",
                validation_fraction=0.0,
                seed=seed,
            )
            model = train(run, folder, label=f"tune: {folder_name}, seed {seed}")
            evaluations.append(evaluate_run(model, folder, folder, figures=False).to_dict())
        found[kind] = {
            "preset": preset.to_dict(),
            "parameters": evaluations[0]["parameters"],
            **{name: spread([each[name] for each in evaluations]) for name in OBJECTIVES},
        }
    found["better_by"] = {
        name: found[BEST][name]["mean"] - found[BASE][name]["mean"] for name in OBJECTIVES
    }
    found = finite(found)
    write_json(out / COMPARISON_FILE, found)
    for name in OBJECTIVES:
        print(f"tune: on the test part, {line(found, name)}", file=sys.stderr)
    return found


def line(found: dict[str, Any], name: str) -> str:
    """One accuracy of a comparison in words."""
    ours, theirs = found[BEST][name], found[BASE][name]
    return (
        f"{name.replace('_', ' ')}: the search's best {ours['mean']:.1%} ± {ours['std']:.1%}, "
        f"the preset {theirs['mean']:.1%} ± {theirs['std']:.1%}"
    )
