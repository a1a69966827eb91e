"""The report of a search: the best settings, which mattered, every trial, and its limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ser_keras.evaluation.report.page import render
from ser_keras.tuning import plots
from ser_keras.tuning.cross_validation import OBJECTIVES
from ser_keras.tuning.importance import importances
from ser_keras.tuning.trials import PRUNED, TrialTable


def tuning_report(
    table: TrialTable,
    provenance: Mapping[str, Any],
    comparison: Mapping[str, Any] | None = None,
) -> str:
    """Report on a search, as HTML; with what `compare` returns, also on the test subset.

    Example:
        >>> from ser_keras.training.run import TrainingRun
        >>> from ser_keras.tuning.search import Search
        >>> table = TrialTable(Search(TrainingRun("synthetic")), [])
        >>> "Search for hyperparameters on synthetic" in tuning_report(table, {})
        True
    """
    search, rows, best = table.search, table.rows, table.best
    parameters, objective = search.space.parameters, search.protocol.objective
    statuses = [row["status"] for row in rows]
    explained = importances(parameters, rows, objective)
    figures = {}
    if best:
        figures["trials"] = plots.parallel_coordinates(parameters, rows, objective, best["trial"])
    if explained:
        figures["importance"] = plots.importance(explained)
    # Where the preset lies in the space, the first trial is the preset's.
    began = search.space.values_of(search.run.preset) and best and rows[0]["status"] == "completed"
    return render(
        __package__,
        "report.html",
        search=search,
        provenance=provenance,
        comparison=comparison,
        objectives=OBJECTIVES,
        figures=figures,
        best=best,
        preset=rows[0] if began else None,
        counts={status: statuses.count(status) for status in ("completed", PRUNED, "failed")},
        pruned=PRUNED,
        trials=sorted(rows, key=lambda row: (row[objective] is None, -(row[objective] or 0.0))),
        importances=explained,
        significant=[each.name for each in explained if each.explained > each.by_chance],
    )
