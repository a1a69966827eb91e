"""KerasTuner's oracles, made to survive a kill at any moment and the death of a worker.

What KerasTuner 1.4 does otherwise, and why each is overridden here:

- It writes `oracle.json` and a file per trial in place, one after the other: killed between or
  within them, it loses a trial, runs a finished one again or cannot read its state at all. Here one
  file that appears whole holds everything; the files per trial are for readers.
- `seed=0` means a random seed, and neighbouring seeds draw the same numbers, shifted by one.
- A worker that dies keeps its trial for ever, and the chief waits for it. Here a trial whose worker
  has not been heard of for a while is handed to the next that asks.
- Three failed trials in a row raise an error where the third has ended: in a chief's answer to a
  worker, which dies of it, while the chief waits for ever. Here no further trial begins.
- Bayesian search forgets the state of its random numbers when it goes on after a kill.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras_tuner as kt
import numpy as np
from keras_tuner.src.engine.trial import Trial, TrialStatus  # of no public name

from ser_keras.errors import ConfigurationError
from ser_keras.files import write_json

ALGORITHMS = ("random", "hyperband", "bayesian")
MOST_FAILURES = 3  # trials in a row that fail, after which no other begins
LOST_AFTER = 60.0  # seconds without a word, after which a worker counts as dead
HYPERBAND_FACTOR = 3
HYPERBAND_BRACKETS = 3  # epochs begin at a ninth of the most: fewer say little of this model


class Resumable:
    """What all oracles share; to be inherited before KerasTuner's own class."""

    # Set by `make`, since KerasTuner's constructors refuse what they do not know.
    first: dict[str, Any] | None = None
    finished = False
    gave_up: str | None = None  # why the last of `MOST_FAILURES` failed, "" where no worker told
    deadline: float | None = None  # of `time.monotonic`
    lost_after: float = LOST_AFTER
    patient = False  # of a chief: workers may be alive that it has not heard of since its restart

    _failures = 0  # in a row, of this process: called again after a mend, a search goes on

    # Called with a trial, once the state is on disk.
    on_begin: Callable[[Trial], None] = staticmethod(lambda trial: None)
    on_end: Callable[[Trial], None] = staticmethod(lambda trial: None)

    # KerasTuner's own.
    trials: dict[str, Trial]
    ongoing_trials: dict[str, Trial]  # by worker
    end_order: list[str]
    tuner_ids: set[str]
    hyperparameters: kt.HyperParameters
    _retry_queue: list[str]
    _heard: dict[str, float]

    def get_state(self) -> dict[str, Any]:
        """All of the search, the trials included."""
        trials = {name: trial.get_state() for name, trial in self.trials.items()}
        return {**super().get_state(), "trials": trials}  # type: ignore[misc]

    def save(self) -> None:
        """Write the state, whole or not at all."""
        write_json(Path(self._get_oracle_fname()), self.get_state())  # type: ignore[attr-defined]

    def reload(self) -> None:
        """Go on from the state on disk; trials that were running are run again.

        Raises:
            ConfigurationError: the file is not a search's.
        """
        path = Path(self._get_oracle_fname())  # type: ignore[attr-defined]
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
            self.trials = {name: Trial.from_state(trial) for name, trial in state["trials"].items()}
            self.set_state(state)  # type: ignore[attr-defined]
        except FileNotFoundError:
            return  # killed before the first trial
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(f"{path}: not the state of a search ({error})") from error
        if self.patient:
            self.tuner_ids = set(self.ongoing_trials)
            self._heard = dict.fromkeys(self.tuner_ids, time.monotonic())
            return
        self.ongoing_trials = {}
        for name, trial in self.trials.items():
            if name not in self.end_order and name not in self._retry_queue:
                self._again(trial)

    @kt.synchronized
    def create_trial(self, tuner_id: str) -> Trial:
        """The next trial for a worker: one that was lost, a new one, or a word to wait."""
        self.hear_of(tuner_id)
        self.release_lost()
        trial = super().create_trial(tuner_id)  # type: ignore[misc]
        if trial.status == TrialStatus.STOPPED:
            if self.ongoing_trials:
                # One of them may come back from a worker that dies.
                trial.status = TrialStatus.IDLE
                self.tuner_ids.add(tuner_id)
            else:
                self.finished = True
        if trial.status == TrialStatus.RUNNING:
            self.on_begin(trial)
        return trial

    @kt.synchronized
    def end_trial(self, trial: Trial) -> None:
        """Take a trial's result; one that two workers ran, since one seemed dead, counts once."""
        if trial.trial_id in self.end_order:
            return
        if trial.trial_id in self._retry_queue:
            self._retry_queue.remove(trial.trial_id)
        super().end_trial(trial)  # type: ignore[misc]
        ended = self.trials[trial.trial_id]
        self._failures = self._failures + 1 if ended.status == TrialStatus.FAILED else 0
        if self._failures == MOST_FAILURES:
            self.gave_up = ended.message or ""
        self.on_end(ended)

    @kt.synchronized
    def update_trial(self, trial_id: str, metrics: dict[str, float], step: int = 0) -> Trial:
        """Take a trial's metrics, unless another worker has ended it before."""
        trial = self.trials[trial_id]
        if trial_id in self.end_order:
            return trial
        # What a run that died between its metrics and its end has left would be averaged in.
        trial.metrics = type(trial.metrics)()
        return super().update_trial(trial_id, metrics, step)  # type: ignore[misc]

    @kt.synchronized
    def get_trial(self, trial_id: str) -> Trial:
        """A trial; asking for one that runs is a worker's sign of life."""
        for tuner_id, trial in self.ongoing_trials.items():
            if trial.trial_id == trial_id:
                self.hear_of(tuner_id)
        return self.trials[trial_id]

    def hear_of(self, tuner_id: str) -> None:
        """Note that a worker lives."""
        self._last_words()[tuner_id] = time.monotonic()

    @kt.synchronized
    def release_lost(self) -> None:
        """Give up workers that have not been heard of, and let others have their trials."""
        words = self._last_words()
        now = time.monotonic()
        for tuner_id in list(self.tuner_ids):
            if now - words.setdefault(tuner_id, now) < self.lost_after:
                continue
            self.tuner_ids.discard(tuner_id)
            trial = self.ongoing_trials.pop(tuner_id, None)
            if trial is not None and trial.trial_id not in self.end_order:
                print(
                    f"tune: {tuner_id} has not been heard of for {self.lost_after:.0f} s; "
                    f"trial {int(trial.trial_id) + 1} is run again",
                    file=sys.stderr,
                    flush=True,
                )
                self._again(trial)
                self.save()

    def _random_values(self) -> dict[str, Any] | None:
        """Values drawn at random; of the very first trial, the preset's own.

        So the search begins with what it has to beat, judged as all other trials are.
        """
        if self.first is not None and not self.trials:
            return dict(self.first)
        return super()._random_values()  # type: ignore[misc]

    def _too_late(self) -> bool:
        return self.deadline is not None and time.monotonic() >= self.deadline

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Values of a new trial, as long as there is time and hope."""
        if self._too_late() or self.gave_up is not None:
            return {"status": TrialStatus.STOPPED, "values": None}
        return super().populate_space(trial_id)  # type: ignore[misc]

    def _again(self, trial: Trial) -> None:
        trial.metrics = type(trial.metrics)()
        trial.score = None
        self._retry_queue.append(trial.trial_id)

    def _last_words(self) -> dict[str, float]:
        if not hasattr(self, "_heard"):
            self._heard = {}
        return self._heard


class RandomOracle(Resumable, kt.oracles.RandomSearchOracle):
    """Random search; the paper does not say how it searched, and this needs no assumption."""


class BayesianOracle(Resumable, kt.oracles.BayesianOptimizationOracle):
    """Bayesian optimisation with a Gaussian process (needs scikit-learn)."""

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Values of a new trial, as a function of the seed and the trials before."""
        self._random_state = np.random.RandomState([self.seed, len(self.trials)])
        return super().populate_space(trial_id)


class HyperbandOracle(Resumable, kt.oracles.HyperbandOracle):
    """Hyperband: many trials of few epochs, the best of which are trained for longer."""

    def _get_num_brackets(self) -> int:
        return min(super()._get_num_brackets(), HYPERBAND_BRACKETS)

    def _get_size(self, bracket_num: int, round_num: int) -> int:
        # As Li et al. (2018) have it. KerasTuner's own reckons with brackets down to one epoch.
        brackets = self._get_num_brackets()
        width = -(-brackets // (bracket_num + 1)) * self.factor**bracket_num
        return max(int(width // self.factor**round_num), 1)


def make(
    algorithm: str,
    objective: str,
    seed: int,
    budget: int | None,
    epochs: int,
) -> Any:
    """An oracle.

    Args:
        algorithm: "random", "hyperband" or "bayesian".
        objective: the metric to maximise.
        seed: of everything it draws.
        budget: trials at most; None for no limit.
        epochs: that a trial is trained for at most.

    Raises:
        ConfigurationError: the algorithm is unknown, or cannot run here.
    """
    # Not the seed itself: 0 would mean a random one, and 1 the numbers of 0, shifted.
    drawn = int(np.random.SeedSequence(seed).generate_state(1)[0] >> 1) + 1
    common = {
        "objective": kt.Objective(objective, "max"),
        "seed": drawn,
        "max_consecutive_failed_trials": sys.maxsize,  # counted by `Resumable`
    }
    if algorithm == "random":
        oracle: Any = RandomOracle(max_trials=budget, **common)
    elif algorithm == "bayesian":
        try:
            # Half of the budget to look around: by itself it takes three trials per setting.
            oracle = BayesianOracle(
                max_trials=budget, num_initial_points=max((budget or 20) // 2, 3), **common
            )
        except ImportError as error:
            raise ConfigurationError(
                "bayesian search needs scikit-learn: pip install 'ser-keras[bayesian]'"
            ) from error
    elif algorithm == "hyperband":
        oracle = HyperbandOracle(
            max_epochs=epochs,
            factor=HYPERBAND_FACTOR,
            hyperband_iterations=1 if budget is None else None,
            **common,
        )
        oracle.max_trials = budget
    else:
        raise ConfigurationError(
            f"algorithm: expected {', '.join(ALGORITHMS)}, found {algorithm!r}"
        )
    oracle.verbose = 0  # progress is ours, on standard error
    return oracle
