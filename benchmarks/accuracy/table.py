"""The table of baselines, with the VRNN's rows where it was measured on the same splits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ser_keras.errors import ConfigurationError

VRNN_ROWS = {"attention": "with attention", "no_attention": "without attention"}


def add_vrnn(accuracy: dict[str, Any], reproduction: Path) -> dict[str, Any]:
    """Add what `ser-keras reproduce` measured.

    Args:
        accuracy: what `measure` returned.
        reproduction: a `reproduction.json`.

    Returns:
        The same with the preset's two rows in a part "vrnn".

    Raises:
        ConfigurationError: the file is no such file, or of another corpus or protocol.
    """
    try:
        measured = json.loads(reproduction.read_text(encoding="utf-8"))
        ours = {"corpus": accuracy["corpus"], **accuracy["protocol"]}
        theirs = {key: {**measured, **measured["protocol"]}.get(key) for key in ours}
        # `reproduce` may be asked for another test part than the fifth that we test on.
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
            f"--reproduction {reproduction}: found {theirs}, expected {ours}, the same splits"
        )
    return {**accuracy, "vrnn": {**accuracy.get("vrnn", {}), **rows}}


def markdown(accuracy: dict[str, Any]) -> str:
    """Write the table: accuracies in percent, mean ± standard deviation over the splits."""
    rows = [*accuracy.get("vrnn", {}).values(), *accuracy["baselines"].values()]
    lines = [
        protocol(accuracy),
        "",
        "| model | WA % | UA % | trainable parameters | seconds |",
        "| --- | ---: | ---: | ---: | ---: |",
        *map(_row, rows),
    ]
    return "\n".join(lines) + "\n"


def protocol(accuracy: dict[str, Any]) -> str:
    """What was measured on which splits, for a headline."""
    found = accuracy["protocol"]
    if found["split"] == "random":
        splits = f"random 80/20, {found['seeds']} seeds"
    else:
        splits = f"by {found['split']}, {found['folds']} folds"
    return f"{accuracy['corpus']}, {accuracy['utterances']} utterances, {splits}"


def _row(row: dict[str, Any]) -> str:
    shown = [
        f"{100 * row[key]['mean']:.1f} ± {100 * row[key]['std']:.1f}"
        for key in ("weighted_accuracy", "unweighted_accuracy")
    ]
    parameters = "–" if row["parameters"] is None else f"{row['parameters']:,}"
    seconds = f"{row['seconds']:.0f}" if "seconds" in row else "–"
    return f"| {' | '.join([row['title'], *shown, parameters, seconds])} |"
