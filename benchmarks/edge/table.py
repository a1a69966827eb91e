"""The measurements as Markdown, and as a line for the README."""

from __future__ import annotations

from typing import Any

HEAD = (
    "| model | precision | MB | hop, ms (p99) | hop, ms of CPU | % of real time | peak memory, MB "
    "| largest difference (99 % within) | same emotion, % | WA, % |",
    "| --- | --- " + "| ---: " * 8 + "|",
)


def markdown(results: dict[str, Any]) -> str:
    """Write a table for all models, then openSMILE."""
    lines = [
        f"{results['corpus']}, {results['utterances']} utterances, "
        f"{results['seconds'] / 60:.1f} minutes, one core, one thread",
        "",
        *HEAD,
    ]
    for model, rows in results["models"].items():
        lines += [_row(model, precision, row) for precision, row in rows.items()]
    peer = results.get("egemaps")
    if peer:
        share, memory = 100 * peer["real_time_factor"], peer["peak_memory"]
        lines += [
            "",
            f"openSMILE eGeMAPSv02, once for each recording: {share:.2f} % of real time, "
            f"{memory:.0f} MB.",
        ]
    return "\n".join([*lines, "", summary(results)]) + "\n"


def _row(model: str, precision: str, row: dict[str, Any]) -> str:
    latency, agreed = row["latency"], row["agreement"]
    right = row["accuracy"]["weighted_accuracy"]
    cells = (
        model,
        precision,
        f"{row['bytes'] / 1e6:.2f}",
        f"{1e3 * latency['median']:.1f} ({1e3 * latency['p99']:.1f})",
        f"{1e3 * row['hop_cpu']['median']:.2f}",
        f"{100 * row['share_of_real_time']:.2f}",
        f"{row['peak_memory']:.0f}",
        f"{agreed['largest']:.0e} ({agreed['p99']:.0e})",
        f"{100 * agreed['same_emotion']:.1f}",
        "–" if right is None else f"{100 * right:.1f}",
    )
    return f"| {' | '.join(cells)} |"


def summary(results: dict[str, Any]) -> str:
    """Summarize the first model in a line for the README."""
    name, rows = next(iter(results["models"].items()))
    row, small = rows["float32"], rows["int8"]
    line = (
        f"`{name}` in TFLite: {row['bytes'] / 1e6:.1f} MB ({small['bytes'] / 1e6:.1f} MB in int8), "
        f"{100 * row['share_of_real_time']:.2f} % of real time on one core"
    )
    peer = results.get("egemaps")
    if not peer:
        return f"{line}."
    ratio = row["real_time_factor"] / peer["real_time_factor"]
    return f"{line}, {ratio:.2f} × openSMILE's eGeMAPS on the same recordings."
