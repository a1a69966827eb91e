"""The table of baselines, with the VRNN's rows where it was measured on the same splits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ser_keras.errors import ConfigurationError
from ser_keras.evaluation import results
from ser_keras.evaluation.reproduction import WITH, WITHOUT, summarize
from ser_keras.training import run as training

_LAST = "trainable parameters | seconds |"
VRNN_ROWS = {WITH: "with attention", WITHOUT: "without attention"}


def add_vrnn(accuracy: dict[str, Any], reproduction: Path) -> dict[str, Any]:
    """Add the results of `ser-keras reproduce`.

    Args:
        accuracy: the return value of `measure`.
        reproduction: a `reproduction.json`.

    Returns:
        The same with the preset's two rows under "vrnn".

    Raises:
        ConfigurationError: the file is no such file, or of another corpus or protocol.
    """
    try:
        measured = json.loads(reproduction.read_text(encoding="utf-8"))
        ours = {"corpus": accuracy["corpus"], **accuracy["protocol"]}
        theirs = {key: {**measured, **measured["protocol"]}.get(key) for key in ours}
        # `reproduce` may have tested on another fraction than the fifth that we test on.
        if ours["split"] == "random":
            ours["test_fraction"], theirs["test_fraction"] = (
                0.2,
                measured["protocol"]["test_fraction"],
            )
        preset = measured["preset"]
        rows = {
            f"{preset}-{kind}": {"title": f"VRNN `{preset}` {title}", **measured[kind]}
            for kind, title in VRNN_ROWS.items()
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"--reproduction {reproduction}: expected a reproduction.json of "
            f"`ser-keras reproduce` ({type(error).__name__}: {error})"
        ) from error
    if ours != theirs:
        raise ConfigurationError(
            f"--reproduction {reproduction}: expected the same splits, {ours}, found {theirs}"
        )
    return {**accuracy, "vrnn": {**accuracy.get("vrnn", {}), **rows}}


def add_runs(accuracy: dict[str, Any], folders: Sequence[Path]) -> dict[str, Any]:
    """Add the results of `ser-keras train` and `evaluate`, if there is no reproduction yet.

    Args:
        accuracy: the return value of `measure`.
        folders: evaluated runs, one of each preset on every split.

    Returns:
        The same with a row for each preset, with attention or without, under "vrnn".

    Raises:
        ConfigurationError: a folder holds no evaluated run, one of another corpus or protocol, or
            there is not one of each split.
    """
    protocol = accuracy["protocol"]
    by_preset: dict[tuple[str, str], dict[int, dict[str, Any]]] = {}
    for folder in folders:
        run = training.read_run(folder)
        # Only a random split has a fraction: the fifth that we test on.
        fraction = run.test_fraction if run.split == "random" else 0.2
        theirs = (run.corpus, run.split, fraction)
        ours = (accuracy["corpus"], protocol["split"], 0.2)
        if theirs != ours:
            raise ConfigurationError(f"--run {folder}: expected {ours}, found {theirs}")
        kind = WITH if run.preset.architecture.attention else WITHOUT
        try:
            evaluation = results.read(folder)
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"--run {folder}: expected an evaluated run, found none ({error})"
            ) from error
        by_preset.setdefault((run.preset.name, kind), {})[run.split_index] = evaluation
    count = protocol["seeds" if protocol["split"] == "random" else "folds"]
    rows = {}
    for (preset, kind), found in by_preset.items():
        if sorted(found) != list(range(count)):
            raise ConfigurationError(
                f"--run: expected splits 0 to {count - 1} of {preset}, found {sorted(found)}"
            )
        rows[f"{preset}-{kind}"] = {
            "title": f"VRNN `{preset}` {VRNN_ROWS[kind]}",
            **summarize([found[split_index] for split_index in range(count)]),
        }
    return {**accuracy, "vrnn": {**accuracy.get("vrnn", {}), **rows}}


def add_own(accuracy: dict[str, Any], folders: Sequence[Path]) -> dict[str, Any]:
    """Add the results of the very runs whose splits were measured, as far as they are evaluated."""
    rows = {}
    for folder in folders:
        try:
            evaluation = results.read(folder)
        except (OSError, ValueError):
            continue
        preset = training.read_run(folder).preset
        kind = WITH if preset.architecture.attention else WITHOUT
        rows[folder.name] = {
            "title": f"VRNN `{preset.name}` {VRNN_ROWS[kind]}, {folder.name}",
            **summarize([evaluation]),
            "by_corpus": [evaluation.get("by_corpus", {})],
        }
    return {**accuracy, "vrnn": {**accuracy.get("vrnn", {}), **rows}}


def markdown(accuracy: dict[str, Any]) -> str:
    """Write the table: accuracies in percent, mean ± standard deviation over the splits."""
    rows = [*accuracy.get("vrnn", {}).values(), *accuracy["baselines"].values()]
    names = _corpora(accuracy)
    lines = [
        protocol(accuracy),
        "",
        " | ".join(["| model | WA % | UA %", *(f"{name}, UA %" for name in names), _LAST]),
        "| --- " + "| ---: " * (4 + len(names)) + "|",
        *(_row(row, names) for row in rows),
    ]
    return "\n".join(lines) + "\n"


def protocol(accuracy: dict[str, Any]) -> str:
    """Name the corpus and the splits, for a headline."""
    found = accuracy["protocol"]
    if "runs" in found:
        splits = f"by {found['split']}, the splits of {', '.join(found['runs'])}"
    elif found["split"] == "random":
        splits = f"random 80/20, {found['seeds']} seeds"
    else:
        splits = f"by {found['split']}, {found['folds']} folds"
    return f"{accuracy['corpus']}, {accuracy['utterances']} utterances, {splits}"


def _corpora(accuracy: dict[str, Any]) -> list[str]:
    """Name the corpora that are joined; none of a single one."""
    tested = {
        name: None
        for baseline in accuracy["baselines"].values()
        for result in baseline["by_corpus"]
        for name in result
    }
    return list(tested) if len(tested) > 1 else []


def _row(row: dict[str, Any], corpora: Sequence[str]) -> str:
    shown = [
        f"{100 * row[key]['mean']:.1f} ± {100 * row[key]['std']:.1f}"
        for key in ("weighted_accuracy", "unweighted_accuracy")
    ]
    for name in corpora:
        found = [r[name]["unweighted_accuracy"] for r in row.get("by_corpus", []) if name in r]
        shown.append(f"{100 * sum(found) / len(found):.1f}" if found else "–")
    parameters = "–" if row["parameters"] is None else f"{row['parameters']:,}"
    seconds = f"{row['seconds']:.0f}" if "seconds" in row else "–"
    return f"| {' | '.join([row['title'], *shown, parameters, seconds])} |"
