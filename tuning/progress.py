"""What a search says on standard error: the trial, its folds, the best so far, the time left."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ser_keras.tuning import trials
from ser_keras.tuning.search import Search, number


class Progress:
    """Lines about a search.

    Args:
        search: what is searched.
        budget: trials at most; None for no limit.
        deadline: of `time.monotonic`, after which no trial begins; None for no limit.
    """

    def __init__(self, search: Search, budget: int | None, deadline: float | None) -> None:
        self.search = search
        self.budget = budget
        self.deadline = deadline
        self._began = time.monotonic()
        self._ended = 0

    def begun(self, trial: Any) -> None:
        """A trial began."""
        values = trial.hyperparameters.values
        settings = [
            f"{parameter.name} {parameter.exact(values[parameter.name])}"
            for parameter in self.search.space.parameters
        ]
        self.told(trial, ", ".join(settings))

    def told(self, trial: Any, line: str) -> None:
        """A trial has something to say."""
        self._say(f"{self._name(number(trial))}: {line}")

    def ended(self, row: Mapping[str, Any], found: Sequence[Mapping[str, Any]]) -> None:
        """A trial ended.

        Args:
            row: its own.
            found: those of all trials, its own among them.
        """
        self._ended += 1
        objective = self.search.protocol.objective
        value = row[objective]
        told = row["status"] if value is None else f"{objective} {value:.1%}"
        if row["status"] == trials.STOPPED:
            told = f"stopped after its first fold, {objective} about {value:.1%}"
        elif value is not None:
            told += f" ± {row[f'{objective}_std']:.1%}, {row['epochs']} epochs"
        best = trials.best(self.search, found)
        so_far = f"; best so far {best[objective]:.1%} (trial {best['trial']})" if best else ""
        left = self.seconds_left(found)
        shown = "" if left is None else f"; about {left / 60:.0f} min left"
        self._say(f"{self._name(row['trial'])}: {told}{so_far}{shown}")

    def seconds_left(self, found: Sequence[Mapping[str, Any]]) -> float | None:
        """How long the search will go on, by its pace so far; None if that is not known."""
        now = time.monotonic()
        left = []
        if self.deadline is not None:
            left.append(max(self.deadline - now, 0.0))
        if self.budget is not None and self._ended:
            open_ = self.budget - sum(row["status"] != "running" for row in found)
            left.append(max(open_, 0) * (now - self._began) / self._ended)
        return min(left, default=None)

    def _name(self, trial: int) -> str:
        return f"trial {trial}" + (f" of {self.budget}" if self.budget else "")

    def _say(self, line: str) -> None:
        print(f"tune: {line}", file=sys.stderr, flush=True)
