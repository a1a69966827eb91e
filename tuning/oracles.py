"""KerasTuner's oracles, made to survive a kill at any moment and the death of a worker.

All that uses KerasTuner's private methods and attributes stands in this module. It was tested with
KerasTuner 1.4.8, which by itself

- writes `oracle.json` and a file per trial in place, one after the other: killed between or within
  them, it loses a trial, runs a finished one again or cannot read its state at all. Here one file
  that appears whole holds everything; the files per trial are for readers.
- takes `seed=0` for a random seed, and draws the same numbers shifted by one for the next seed.
- lets a dead worker keep its trial for ever, and its chief wait for it. Here a trial whose worker
  has sent no heartbeat for a while goes to the next worker that asks.
- raises an error when three trials in a row have failed: in a chief's answer to a worker, which
  dies of it, while the chief waits for ever. Here no further trial begins.
- forgets the state of Bayesian search's random numbers when it resumes.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras_tuner as kt
import numpy as np
from keras_tuner.engine.trial import Trial, TrialStatus

from ser_keras.errors import ConfigurationError
from ser_keras.fields import require
from ser_keras.files import write_json
from ser_keras.tuning.search import Search

ALGORITHMS = ("random", "hyperband", "bayesian")
LOST_AFTER = 60.0  # seconds without a heartbeat after which a worker counts as dead

_MOST_FAILURES = 3  # failed trials in a row, after which no other begins
# With KerasTuner's factor of 3 no trial has less than a ninth of the epochs: fewer say little.
_HYPERBAND_BRACKETS = 3


class ResumableOracle(kt.Oracle):
    """Base of all oracles; an algorithm inherits from it before KerasTuner's own class.

    Example:
        >>> from ser_keras.training.run import TrainingRun
        >>> isinstance(make_oracle(Search(TrainingRun("synthetic")), budget=4), ResumableOracle)
        True
    """

    initial_values: Mapping[str, Any] | None = None  # the first trial's; None to draw them
    deadline: float | None = None  # `time.monotonic` after which no trial begins
    lost_after = LOST_AFTER  # seconds without a heartbeat after which a worker counts as dead
    keep_workers = False  # for a chief: its workers may have survived its restart
    finished = False  # no trial is left to give out, and none is running
    failure: str | None = None  # the last message of three failures in a row; "" without one

    def __init__(self, **options: Any) -> None:
        # Failures are counted here: KerasTuner's own count raises its error in the wrong process.
        super().__init__(max_consecutive_failed_trials=sys.maxsize, **options)
        self.verbose = 0  # progress goes to standard error instead
        # Called with a trial, once the state is on disk.
        self.on_begin: Callable[[Trial], None] = lambda trial: None
        self.on_end: Callable[[Trial], None] = lambda trial: None
        self._failures = 0  # in a row, in this process: started again, a search tries again
        self._heartbeats: dict[str, float] = {}  # the last one's time by worker

    def get_state(self) -> dict[str, Any]:
        """Return the whole search, the trials included; the same for the same trials."""
        state = super().get_state()
        # KerasTuner's own order is that of a set of strings, which Python draws for each process.
        state["tried_so_far"] = sorted(state["tried_so_far"])
        return {**state, "trials": {name: each.get_state() for name, each in self.trials.items()}}

    def save(self) -> None:
        """Write the state, whole or not at all."""
        write_json(Path(self._get_oracle_fname()), self.get_state())

    def reload(self) -> None:
        """Resume from the state on disk; trials that were running are run again."""
        path = Path(self._get_oracle_fname())
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
            self.trials = {name: Trial.from_state(trial) for name, trial in state["trials"].items()}
            self.set_state(state)
        except FileNotFoundError:
            return  # killed before the first trial
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            problem = f"{path}: expected the state of a search, found {error!r}"
            raise ConfigurationError(problem) from error
        if self.keep_workers:
            self.tuner_ids = set(self.ongoing_trials)
            self._heartbeats = dict.fromkeys(self.tuner_ids, time.monotonic())
            return
        self.ongoing_trials.clear()
        for name, trial in self.trials.items():
            if name not in self.end_order and name not in self._retry_queue:
                self._requeue(trial)

    @kt.synchronized
    def create_trial(self, tuner_id: str) -> Trial:
        """Give a worker its next trial: one that was lost, a new one, or the word to wait."""
        self._heartbeats[tuner_id] = time.monotonic()
        self._release_lost()
        trial = super().create_trial(tuner_id)
        if trial.status == TrialStatus.STOPPED:
            if self.ongoing_trials:
                # One of them may be left by a worker that dies, and then this one runs it.
                trial.status = TrialStatus.IDLE
                self.tuner_ids.add(tuner_id)
            else:
                self.finished = True
        if trial.status == TrialStatus.RUNNING:
            self.on_begin(trial)
        return trial

    @kt.synchronized
    def update_trial(self, trial_id: str, metrics: dict[str, float], step: int = 0) -> Trial:
        """Take a trial's metrics, unless another worker has ended it before."""
        trial = self.trials[trial_id]
        if trial_id in self.end_order:
            return trial
        # KerasTuner would average in those of a run that died between its metrics and its end.
        trial.metrics = type(trial.metrics)()
        return super().update_trial(trial_id, metrics, step)

    @kt.synchronized
    def end_trial(self, trial: Trial) -> None:
        """Take a trial's result once: two workers may run it, if one only seemed dead."""
        if trial.trial_id in self.end_order:
            return
        if trial.trial_id in self._retry_queue:
            self._retry_queue.remove(trial.trial_id)
        super().end_trial(trial)
        ended = self.trials[trial.trial_id]
        self._failures = self._failures + 1 if ended.status == TrialStatus.FAILED else 0
        if self._failures == _MOST_FAILURES:
            self.failure = ended.message or ""
        self.on_end(ended)

    @kt.synchronized
    def get_trial(self, trial_id: str) -> Trial:
        """Return a trial; asking for one that runs is its worker's heartbeat."""
        for tuner_id, trial in self.ongoing_trials.items():
            if trial.trial_id == trial_id:
                self._heartbeats[tuner_id] = time.monotonic()
        return self.trials[trial_id]

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Choose a new trial's values, as long as there is time and hope."""
        late = self.deadline is not None and time.monotonic() >= self.deadline
        if late or self.failure is not None:
            return {"status": TrialStatus.STOPPED, "values": None}
        return super().populate_space(trial_id)

    def _random_values(self) -> dict[str, Any] | None:
        # The search begins with the preset that it has to beat, judged as all other trials are.
        if self.initial_values is not None and not self.trials:
            return dict(self.initial_values)
        return super()._random_values()

    def _release_lost(self) -> None:
        """Give up workers that send no heartbeat, and let others have their trials."""
        now = time.monotonic()
        for tuner_id in list(self.tuner_ids):
            if now - self._heartbeats.setdefault(tuner_id, now) < self.lost_after:
                continue
            self.tuner_ids.discard(tuner_id)
            trial = self.ongoing_trials.pop(tuner_id, None)
            if trial is not None and trial.trial_id not in self.end_order:
                self._requeue(trial)
                self.save()
                silent = f"{tuner_id} has sent no heartbeat for {self.lost_after:.0f} s"
                again = f"trial {int(trial.trial_id) + 1} is run again"
                print(f"tune: {silent}; {again}", file=sys.stderr, flush=True)

    def _requeue(self, trial: Trial) -> None:
        trial.metrics = type(trial.metrics)()
        trial.score = None
        self._retry_queue.append(trial.trial_id)


class _RandomOracle(ResumableOracle, kt.oracles.RandomSearchOracle):
    """Random search; the paper does not say how it searched, and this needs no assumption."""


class _BayesianOracle(ResumableOracle, kt.oracles.BayesianOptimizationOracle):
    """Bayesian optimisation with a Gaussian process (needs scikit-learn)."""

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        # A function of the seed and the trials before, not of when the process was started.
        self._random_state = np.random.RandomState([self.seed, len(self.trials)])
        return super().populate_space(trial_id)


class _HyperbandOracle(ResumableOracle, kt.oracles.HyperbandOracle):
    """Hyperband: many trials of few epochs, the best of which are trained for longer."""

    def _get_num_brackets(self) -> int:
        return min(super()._get_num_brackets(), _HYPERBAND_BRACKETS)

    def _get_size(self, bracket_num: int, round_num: int) -> int:
        # After Li et al. (2018). KerasTuner's own formula assumes brackets down to one epoch.
        brackets = self._get_num_brackets()
        width = -(-brackets // (bracket_num + 1)) * self.factor**bracket_num
        return max(int(width // self.factor**round_num), 1)


def make_oracle(search: Search, budget: int | None) -> ResumableOracle:
    """Make the oracle of a search, for `budget` trials or without limit.

    Example:
        >>> from ser_keras.training.run import TrainingRun
        >>> make_oracle(Search(TrainingRun("synthetic"), algorithm="hyperband"), 4).max_trials
        4
    """
    algorithm, protocol = search.algorithm, search.protocol
    require(algorithm in ALGORITHMS, "algorithm", algorithm, f"one of {', '.join(ALGORITHMS)}")
    # Not the seed itself: 0 would mean a random one, and 1 the numbers of 0, shifted.
    seed = int(np.random.SeedSequence(protocol.seed).generate_state(1)[0] >> 1) + 1
    common = {"objective": kt.Objective(protocol.objective, "max"), "seed": seed}
    if algorithm == "random":
        return _RandomOracle(max_trials=budget, **common)
    if algorithm == "bayesian":
        # Half of the budget explores; KerasTuner's default is three trials per setting.
        exploring = max((budget or 20) // 2, 3)
        try:
            return _BayesianOracle(max_trials=budget, num_initial_points=exploring, **common)
        except ImportError as error:
            raise ConfigurationError(
                "bayesian: expected scikit-learn, found none; pip install 'ser-keras[bayesian]'"
            ) from error
    epochs, iterations = search.run.preset.optimization.epochs, 1 if budget is None else None
    oracle = _HyperbandOracle(max_epochs=epochs, hyperband_iterations=iterations, **common)
    oracle.max_trials = budget
    return oracle
