"""The report of a search: the best settings, which mattered, every trial, and its limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ser_keras.evaluation.report.page import render
from ser_keras.tuning import plots, trials
from ser_keras.tuning.cross_validation import OBJECTIVES
from ser_keras.tuning.importance import importances
from ser_keras.tuning.search import Search

STATUSES = ("completed", trials.STOPPED, "failed")


def tuning_report(
    search: Search,
    found: Sequence[Mapping[str, Any]],
    provenance: Mapping[str, Any],
    comparison: Mapping[str, Any] | None = None,
) -> str:
    """Report on a search, as HTML.

    Args:
        search: the search.
        found: rows of its trials.
        provenance: versions and the state of the source.
        comparison: the content of `comparison.json`, if the best was evaluated on the test subset.
    """
    parameters, objective = search.space.parameters, search.protocol.objective
    best = trials.best(search, found)
    explained = importances(parameters, found, objective)
    figures = {}
    if best:
        figures["trials"] = plots.parallel_coordinates(parameters, found, objective, best["trial"])
    if explained:
        figures["importance"] = plots.importance(explained)
    # Where the preset lies in the space, the first trial is the preset's.
    began = search.space.of(search.run.preset) and best and found[0]["status"] == "completed"
    return render(
        __package__,
        "report.html",
        search=search,
        provenance=provenance,
        comparison=comparison,
        objectives=OBJECTIVES,
        figures=figures,
        best=best,
        preset=found[0] if began else None,
        counts={status: sum(row["status"] == status for row in found) for status in STATUSES},
        stopped=trials.STOPPED,
        trials=sorted(found, key=lambda row: (row[objective] is None, -(row[objective] or 0.0))),
        importances=explained,
        significant=[each.name for each in explained if each.explained > each.by_chance],
    )
