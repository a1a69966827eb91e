"""The best preset of a search beside the one it began with, on the test subset."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ser_keras.corpora.utterance import Corpus
from ser_keras.evaluation.reproduction import summarize
from ser_keras.evaluation.results import evaluate_run
from ser_keras.files import finite, write_csv, write_json
from ser_keras.model.settings import Preset
from ser_keras.training.run import TrainingRun
from ser_keras.training.train import train
from ser_keras.tuning.cross_validation import OBJECTIVES


def compare(
    best: Preset, base: Preset, trial: int, subsets: Mapping[str, Corpus], seeds: int, out: Path
) -> dict[str, Any]:
    """Train both presets on the whole training subset and evaluate them on the test subset.

    Killed and called again, it goes on where it was.

    Args:
        best: the search's best preset.
        base: the preset that the search began with, trained for its own epochs.
        trial: the best trial's number; a larger budget may find another, whose runs then have
            folders of their own.
        subsets: the search's split: "train" and "test".
        seeds: number of runs of each; their seeds are 0 to seeds - 1.
        out: the search's folder: gets `corpus.csv` and, in `test/`, the runs and `comparison.json`.

    Returns:
        The content of `comparison.json`: for "best" and "preset", the preset and what `summarize`
        makes of its runs; and by how much the best is better.

    Example:
        >>> base, subsets = ser.presets.get("ravdess"), {"train": corpus[:8], "test": corpus[8:]}
        >>> compare(base, base, trial=7, subsets=subsets, seeds=3, out=Path("missing"))
        Traceback (most recent call last):
        ser_keras.files.OutputError: ...missing/corpus.csv: cannot be written ...
    """
    manifest = (out / "corpus.csv").absolute()
    _write_manifest(manifest, subsets)
    found: dict[str, Any] = {"seeds": seeds}
    for kind, preset, name in (("best", best, f"best-trial-{trial}"), ("preset", base, "preset")):
        evaluations = []
        for seed in range(seeds):
            folder = out / "test" / f"{name}-seed-{seed}"
            run = TrainingRun(
                "manifest", str(manifest), preset, "predefined", validation_fraction=0.0, seed=seed
            )
            model = train(run, folder, label=f"tune: {name}, seed {seed}")
            evaluations.append(evaluate_run(model, folder, folder, figures=False).to_dict())
        found[kind] = {"preset": preset.to_dict(), **summarize(evaluations)}
    found["better_by"] = {
        name: found["best"][name]["mean"] - found["preset"][name]["mean"] for name in OBJECTIVES
    }
    found = finite(found)
    write_json(out / "test" / "comparison.json", found)
    for name in OBJECTIVES:
        ours, theirs = found["best"][name], found["preset"][name]
        print(
            f"tune: on the test subset, {name.replace('_', ' ')}: "
            f"the search's best {ours['mean']:.1%} ± {ours['std']:.1%}, "
            f"the preset {theirs['mean']:.1%} ± {theirs['std']:.1%}",
            file=sys.stderr,
        )
    return found


def _write_manifest(path: Path, subsets: Mapping[str, Corpus]) -> None:
    """Write the split as a corpus: runs would draw it with their seed, and here seeds share one."""
    columns = ("path", "emotion", "speaker", "session", "split", "start", "end")
    rows = [
        {**vars(utterance), "path": str(utterance.path.absolute()), "split": subset}
        for subset in ("train", "test")
        for utterance in subsets[subset]
    ]
    write_csv(path, [{name: row[name] for name in columns} for row in rows])
