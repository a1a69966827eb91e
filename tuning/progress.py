"""Lines on standard error about a search: the trial, its folds, the best so far, the time left."""

from __future__ import annotations

import sys
import time

from keras_tuner.engine.trial import Trial

from ser_keras.tuning.search import Search
from ser_keras.tuning.trials import PRUNED, TrialTable


class Progress:
    """Progress of a search, in lines on standard error.

    No more than `budget` trials begin, and none after the `time.monotonic` of `deadline`.

    Example:
        >>> from ser_keras.training.run import TrainingRun
        >>> table = TrialTable(Search(TrainingRun("synthetic")), [])
        >>> Progress(table.search, budget=None, deadline=0.0).seconds_left(table)
        0.0
    """

    def __init__(self, search: Search, budget: int | None, deadline: float | None) -> None:
        self._search, self._budget, self._deadline = search, budget, deadline
        self._began = time.monotonic()
        self._ended = 0

    def begun(self, trial: Trial) -> None:
        """Print the settings of a trial that begins."""
        values, parameters = trial.hyperparameters.values, self._search.space.parameters
        settings = (f"{each.name} {each.exact(values[each.name])}" for each in parameters)
        self.say(trial, ", ".join(settings))

    def say(self, trial: Trial, line: str) -> None:
        """Print a line about a trial."""
        of = f" of {self._budget}" if self._budget else ""
        print(f"tune: trial {TrialTable.number(trial)}{of}: {line}", file=sys.stderr, flush=True)

    def ended(self, trial: Trial, table: TrialTable) -> None:
        """Print the result of a trial, the best so far and the time left."""
        self._ended += 1
        objective, row = self._search.protocol.objective, table.row(trial)
        value = row[objective]
        if row["status"] == PRUNED:
            line = f"stopped after its first fold, {objective} about {value:.1%}"
        elif value is None:
            line = row["status"]
        else:
            std = row[f"{objective}_std"]
            line = f"{objective} {value:.1%} ± {std:.1%}, {row['epochs']} epochs"
        if best := table.best:
            line += f"; best so far {best[objective]:.1%} (trial {best['trial']})"
        if (left := self.seconds_left(table)) is not None:
            line += f"; about {left / 60:.0f} min left"
        self.say(trial, line)

    def seconds_left(self, table: TrialTable) -> float | None:
        """Estimate how long the search will take, by its pace so far; None if unknown."""
        now = time.monotonic()
        left = []
        if self._deadline is not None:
            left.append(max(self._deadline - now, 0.0))
        if self._budget is not None and self._ended:
            missing = self._budget - sum(row["status"] != "running" for row in table.rows)
            left.append(max(missing, 0) * (now - self._began) / self._ended)
        return min(left, default=None)
