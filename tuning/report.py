"""The report of a search: what was best, what mattered, every trial, and how far to trust it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ser_keras.evaluation.report.page import (
    Markup,
    headline,
    notes,
    picture,
    render,
    section,
    table,
)
from ser_keras.evaluation.report.parts import (
    SHARED_SPEAKERS,
    number,
    percent,
    settings_section,
    spread,
)
from ser_keras.tuning import plots, trials
from ser_keras.tuning.comparison import BASE, BEST
from ser_keras.tuning.cross_validation import OBJECTIVES
from ser_keras.tuning.importance import Importance, importances
from ser_keras.tuning.search import Search

OPTIMISM = (
    "The best of several trials is partly the luckiest: its cross-validated accuracy is higher "
    "than what the same settings reach on other recordings. Only the test part, on which nothing "
    "was chosen, tells how good they are."
)


def tuning_report(
    search: Search,
    found: Sequence[Mapping[str, Any]],
    provenance: Mapping[str, Any],
    comparison: Mapping[str, Any] | None = None,
) -> str:
    """The report of a search, as HTML.

    Args:
        search: what was searched.
        found: rows of its trials.
        provenance: versions and the state of the source.
        comparison: what `comparison.json` holds, if the best was evaluated on the test part.
    """
    objective = search.protocol.objective
    best = trials.best(search, found)
    parameters = search.space.parameters
    mattered = importances(parameters, found, objective)
    sections = [headline(_facts(search, found, best, comparison))]
    if comparison:
        sections.append(_test_section(comparison))
    if best:
        drawing = plots.parallel_coordinates(parameters, found, objective, best["trial"])
        sections.append(
            section(
                "All trials at once",
                picture(
                    drawing,
                    "A line per trial across an axis per setting, coloured by its "
                    f"{_words(objective)}, averaged over folds.",
                    "Parallel coordinates of all trials; the numbers are those of the table.",
                ),
            )
        )
    if mattered:
        sections.append(_importance_section(mattered))
    sections += [
        _trials_section(search, found),
        section("How far to trust this", notes(_remarks(search, found))),
        settings_section(search.to_dict(), provenance),
    ]
    return render(
        f"Search for hyperparameters on {search.run.corpus}",
        f"Space {search.space.name}, {search.algorithm} search, {search.protocol.folds} folds by "
        f"{search.protocol.by} inside the training part, seed {search.protocol.seed}.",
        sections,
    )


def _facts(
    search: Search,
    found: Sequence[Mapping[str, Any]],
    best: Mapping[str, Any] | None,
    comparison: Mapping[str, Any] | None,
) -> list[tuple[str, str, str]]:
    objective = search.protocol.objective
    done = [row for row in found if row["status"] != "running"]
    counts = {status: sum(row["status"] == status for row in done) for status in _STATUS}
    facts = [
        (
            "Trials",
            str(len(done)),
            ", ".join(f"{count} {status}" for status, count in counts.items() if count),
        )
    ]
    if best:
        facts.append(
            (
                f"Best {_words(objective)}, cross-validated",
                _with_std(best, objective),
                f"trial {best['trial']}, {best['epochs']} epochs; ± over folds",
            )
        )
    own = search.space.of(search.run.preset)
    first = found[0] if found else None
    if own and first and best and first["status"] == "completed":
        difference = 100 * (best[objective] - first[objective])
        facts.append(
            (
                f"The preset {search.run.preset.name}, cross-validated",
                _with_std(first, objective),
                f"trial 1; the best is {difference:+.1f} points from it",
            )
        )
    if comparison:
        facts.append(
            (
                f"Best {_words(objective)}, test part",
                spread(comparison[BEST][objective]),
                f"{comparison['seeds']} seeds; the preset {spread(comparison[BASE][objective])}",
            )
        )
    return facts


_STATUS = ("completed", trials.STOPPED, "failed")


def _test_section(comparison: Mapping[str, Any]) -> Markup:
    rows = [
        (
            name,
            *(spread(comparison[kind][accuracy]) for accuracy in OBJECTIVES),
            f"{comparison[kind]['parameters']:,}",
            comparison[kind]["preset"]["optimization"]["epochs"],
        )
        for name, kind in (("the search's best", BEST), ("the preset it began with", BASE))
    ]
    remarks = []
    for accuracy in OBJECTIVES:
        ours, theirs = comparison[BEST][accuracy], comparison[BASE][accuracy]
        difference = ours["mean"] - theirs["mean"]
        deviation = max(ours["std"], theirs["std"])
        judged = "more" if abs(difference) > deviation else "not more"
        remarks.append(
            f"{_words(accuracy).capitalize()}: the best is {100 * difference:+.1f} points from the "
            f"preset, {judged} than one standard deviation over seeds ({percent(deviation)})."
        )
    return section(
        "On the test part",
        table(
            f"Both trained on the whole training part with {comparison['seeds']} seeds, and "
            "evaluated on the test part, which the search never saw. Mean ± standard deviation.",
            ("settings", *map(_words, OBJECTIVES), "parameters", "epochs"),
            rows,
        ),
        notes(remarks),
    )


def _importance_section(mattered: Sequence[Importance]) -> Markup:
    shown = [result for result in mattered if result.explained > result.by_chance]
    if shown:
        names = ", ".join(result.name for result in shown)
        remark = f"More than chance explains: {names}."
    else:
        remark = (
            "No setting explains more than chance would: these trials do not show that any of "
            "them mattered. More trials may."
        )
    words = "; ".join(f"{result.name} {percent(result.explained)}" for result in mattered)
    return section(
        "What mattered",
        picture(
            plots.importance(mattered),
            "Share of the variance of the trials' scores that each setting explains by itself, and "
            "what 95 of 100 random orders of the scores would stay below.",
            f"Bars: {words}.",
        ),
        notes(
            [remark, "Settings are looked at one by one: what two do only together is not seen."]
        ),
    )


def _trials_section(search: Search, found: Sequence[Mapping[str, Any]]) -> Markup:
    objective = search.protocol.objective
    names = [parameter.name for parameter in search.space.parameters]
    ordered = sorted(found, key=lambda row: (row[objective] is None, -(row[objective] or 0.0)))
    rows = [
        (
            row["trial"],
            *(f"{number(row[name])}" for name in OBJECTIVES),
            *(_short(row[name]) for name in names),
            row["epochs"] or "–",
            row["status"],
        )
        for row in ordered
    ]
    columns = [f"{_words(name)} (%)" for name in OBJECTIVES]
    return section(
        "Trials, the best first",
        table(
            "Accuracies are means over folds; of a trial that was stopped they are estimates.",
            ("trial", *columns, *names, "epochs", "status"),
            rows,
        ),
    )


def _remarks(search: Search, found: Sequence[Mapping[str, Any]]) -> list[str]:
    remarks = [OPTIMISM]
    if search.protocol.by == "random":
        remarks.append(
            "Folds by chance share speakers between what is trained on and what is held out, so "
            "that the settings are the best for voices that were heard. --folds-by speaker asks "
            "for others."
        )
    if search.run.split == "random":
        remarks.append(SHARED_SPEAKERS)
    if any(row["status"] == trials.STOPPED for row in found):
        remarks.append(
            "Stopped trials lay more than two standard errors below the best on the first fold. "
            "Their accuracy is the best trial's, less what they lacked there."
        )
    if search.algorithm == "hyperband":
        remarks.append(
            "Hyperband trains most trials for few epochs: their accuracies compare with those of "
            "the same number of epochs only."
        )
    return remarks


def _with_std(row: Mapping[str, Any], objective: str) -> str:
    mean, deviation = number(row[objective]), percent(row[f"{objective}_std"])
    return f"{mean}\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}{deviation}"


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _words(name: str) -> str:
    return name.replace("_", " ")
