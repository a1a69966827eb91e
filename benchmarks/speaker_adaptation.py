"""Recordings of a person that it takes to recognise others of theirs better, without labels.

    python -m benchmarks.speaker_adaptation EVALUATION … --out OUT

reads the folders that `ser-keras evaluate` left, whose utterances have speakers. Each utterance is
answered as by a model that is adapted to its speaker (`ser-keras adapt`) by so many others of
theirs, drawn at random, and by ten of which a given share is neutral; unweighted accuracy is the
mean of five draws. Left in OUT: `speaker_adaptation.json` and `speaker_adaptation.md`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.outcome import leave
from ser_keras import provenance
from ser_keras.evaluation import results
from ser_keras.evaluation.metrics import accuracies, confusion_matrix
from ser_keras.recognition.speaker_adaptation import relative, usual_logits

COUNTS = (0, 1, 2, 3, 5, 10, 20)
SHARES = (0.0, 0.5, 0.8, 1.0)  # of neutral recordings
OF_SHARES = 10  # recordings in which neutral ones have a given share
DRAWS = 5
NEUTRAL = "neutral"


def read(folder: Path) -> dict[str, Any]:
    """Read speakers, emotions and probabilities of an evaluation's utterances."""
    rows = results.read_predictions(folder)
    names = [name for name in rows[0] if name.startswith("probability_")]
    classes = [name.removeprefix("probability_") for name in names]
    return {
        "classes": classes,
        "labels": np.array([classes.index(row["emotion"]) for row in rows]),
        "speakers": np.array([row["speaker"] for row in rows]),
        "probabilities": np.array([[float(row[name]) for name in names] for row in rows]),
    }


def adapted(found: dict[str, Any], count: int, share: float | None, seed: int) -> np.ndarray:
    """Answer each utterance relative to so many others of its speaker's.

    Args:
        found: as of `read`.
        count: of others; where the speaker has fewer, all.
        share: of them that are neutral, drawn with replacement; None draws from all others.
        seed: of the draws.
    """
    random = np.random.default_rng(seed)
    probabilities = found["probabilities"].copy()
    neutral = np.array(found["classes"])[found["labels"]] == NEUTRAL
    for index, speaker in enumerate(found["speakers"]):
        if not speaker:  # nobody known
            continue
        others = np.flatnonzero(found["speakers"] == speaker)
        others = others[others != index]
        if share is None:
            drawn = random.permutation(others)[:count]
        else:
            groups = others[neutral[others]], others[~neutral[others]]
            sizes = round(share * count), count - round(share * count)
            pairs = [(group, size) for group, size in zip(groups, sizes, strict=True) if size]
            if not all(len(group) for group, _ in pairs):
                continue
            drawn = np.concatenate([random.choice(group, size) for group, size in pairs])
        if len(drawn):
            usual = usual_logits(found["probabilities"][drawn])
            probabilities[index] = relative(found["probabilities"][index], usual)
    return probabilities


def unweighted(found: dict[str, Any], count: int, share: float | None = None) -> float:
    """Return unweighted accuracy, 0..1, the mean of `DRAWS` draws."""
    size, values = len(found["classes"]), []
    for seed in range(DRAWS):
        answers = adapted(found, count, share, seed).argmax(axis=1)
        values.append(accuracies(confusion_matrix(found["labels"], answers, size))[1])
    return float(np.mean(values))


def measure(folders: Sequence[Path]) -> dict[str, Any]:
    """Return the content of `speaker_adaptation.json`."""
    rows = []
    for folder in folders:
        found = read(folder)
        everyone = len(found["labels"])
        rows.append(
            {
                "evaluation": folder.name,
                "utterances": everyone,
                "speakers": len(set(found["speakers"])),
                "by_count": {str(count): unweighted(found, count) for count in COUNTS}
                | {"all": unweighted(found, everyone)},
                "by_share": {str(share): unweighted(found, OF_SHARES, share) for share in SHARES},
            }
        )
    return {"rows": rows, "versions": provenance.versions(), "git": provenance.git_state()}


def markdown(found: dict[str, Any]) -> str:
    """Format the content of `speaker_adaptation.json` as a table."""
    rows = found["rows"]
    lines = [
        "| unweighted accuracy, % | " + " | ".join(row["evaluation"] for row in rows) + " |",
        "| --- |" + " ---: |" * len(rows),
        "| utterances, speakers | "
        + " | ".join(f"{row['utterances']}, {row['speakers']}" for row in rows)
        + " |",
    ]
    words = {"by_count": "{} others", "by_share": f"{OF_SHARES} others, {{:.0%}} of them neutral"}
    for group, title in words.items():
        for key in rows[0][group]:
            value = float(key) if group == "by_share" else key
            cells = " | ".join(f"{100 * row[group][key]:.1f}" for row in rows)
            lines.append(f"| {title.format(value)} | {cells} |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speaker_adaptation", description=__doc__
    )
    parser.add_argument("evaluations", nargs="+", type=Path, metavar="EVALUATION")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    options = parser.parse_args(arguments)
    return leave(
        "speaker_adaptation", options.out, lambda _: measure(options.evaluations), markdown
    )


if __name__ == "__main__":
    sys.exit(main())
