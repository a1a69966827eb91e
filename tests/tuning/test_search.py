"""Searches: the same seed, the same trials; a kill at any moment loses and repeats nothing."""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from keras_tuner.src.engine import oracle as kerastuner  # its locks have no public name

from ser_keras.commands import options
from ser_keras.errors import ConfigurationError
from ser_keras.model import presets
from ser_keras.tuning import oracles
from ser_keras.tuning import tuner as tuner_module
from ser_keras.tuning.run import run_search
from ser_keras.tuning.search import Search, SearchError
from ser_keras.tuning.spaces import Space
from tests.tuning.conftest import SPACE, FormulaTrainer, formula

pytestmark = pytest.mark.usefixtures("without_report")

# Equal to `SPACE` in Python's eyes.
FROM_WHOLE_ZERO = Space.from_dict(
    "small", SPACE.to_dict() | {"recognition_dropout": {"low": 0, "high": 0.8, "step": 0.1}}
)

MakeSearch = Callable[..., Search]
Begun = list[tuple[str, int]]


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "trials.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def settings(out: Path) -> list[tuple[str, ...]]:
    return [tuple(row[parameter.name] for parameter in SPACE.parameters) for row in rows(out)]


def without_time(out: Path) -> list[dict[str, str]]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows(out)]


def oracle_state(out: Path) -> str:
    """`oracle.json` to the letter, but for the trials' durations."""
    state = json.loads((out / "trials" / "oracle.json").read_text())
    for trial in state["trials"].values():
        trial["metrics"]["metrics"].pop("seconds")
    return json.dumps(state, indent=2)


@pytest.mark.usefixtures("begun")
@pytest.mark.parametrize("algorithm", oracles.ALGORITHMS)
def test_the_same_seed_gives_the_same_trials(
    algorithm: str, make_search: MakeSearch, tmp_path: Path
):
    for name, seed in (("one", 0), ("again", 0), ("other", 1)):
        run_search(make_search(seed, algorithm=algorithm), tmp_path / name, budget=4)
    assert without_time(tmp_path / "one") == without_time(tmp_path / "again")
    assert len(settings(tmp_path / "one")) == 4
    # But for the preset itself, not even shifted by one, as those of neighbouring seeds are in
    # KerasTuner. Bayesian search may come to the same optimum in the end.
    assert not set(settings(tmp_path / "one")[1:3]) & set(settings(tmp_path / "other")[1:3])


class Killed(BaseException):
    """A kill: nothing catches it, and the process' memory is not used again."""


@pytest.mark.parametrize("algorithm", oracles.ALGORITHMS)
def test_a_kill_at_any_write_of_the_state_loses_and_repeats_nothing(
    algorithm: str,
    make_search: MakeSearch,
    begun: Begun,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    """Kill right before and right after every single write of the state, then search again."""
    search = make_search(algorithm=algorithm)
    budget = 4 if algorithm == "bayesian" else 6  # it takes seconds to choose a trial
    run_search(search, tmp_path / "whole", budget=budget)
    whole = Counter(begun)
    begun.clear()

    usual = oracles.ResumableOracle.save
    writes = {"left": 0}

    def save(self: Any) -> None:
        writes["left"] -= 1
        if writes["left"] == 0:
            raise Killed
        usual(self)
        writes["left"] -= 1
        if writes["left"] == 0:
            raise Killed

    monkeypatch.setattr(oracles.ResumableOracle, "save", save)
    finished: set[str] = set()
    kills = 0
    for _ in range(200):
        # Each call gets one write further than the last.
        writes["left"] = 3 + kills % 3
        before = len(begun)
        try:
            run_search(search, tmp_path / "killed", budget=budget)
        except Killed:
            kills += 1
            # A kill in the middle of KerasTuner's lock leaves it taken: here as in a new process.
            kerastuner.LOCKS.clear()
            kerastuner.THREADS.clear()
            repeated = {name for name, _ in begun[before:]} & finished
            assert not repeated, "a finished trial was run again"
            state = json.loads((tmp_path / "killed" / "trials" / "oracle.json").read_text())
            finished |= _finished(state, search, begun)
            continue
        break
    else:
        pytest.fail("did not come to an end")
    assert kills >= budget
    assert without_time(tmp_path / "killed") == without_time(tmp_path / "whole")
    assert set(begun) == set(whole)
    assert oracle_state(tmp_path / "killed") == oracle_state(tmp_path / "whole")


def _finished(state: dict[str, Any], search: Search, begun: Begun) -> set[str]:
    """Names, as `begun` has them, of the trials that have ended in a state."""
    names = set()
    for trial in state["trials"].values():
        if trial["trial_id"] in state["end_order"]:
            values = trial["hyperparameters"]["values"]
            preset = search.space.apply(search.run.preset, values)
            if "tuner/epochs" in values:
                preset = preset.with_settings({"epochs": values["tuner/epochs"]})
            names.add(f"{preset.architecture}{preset.optimization}")
    return names


@pytest.mark.usefixtures("begun")
def test_the_first_trial_is_the_preset_where_the_space_holds_it(
    make_search: MakeSearch, tmp_path: Path
):
    search = make_search()
    base = search.run.preset.with_settings({"recognition_dropout": 0.3})
    search = dataclasses.replace(search, run=dataclasses.replace(search.run, preset=base))
    run_search(search, tmp_path, budget=3)
    assert settings(tmp_path)[0] == ("8", "0.3", "0.001")
    assert len(set(settings(tmp_path))) == 3


@pytest.mark.usefixtures("begun")
def test_the_best_is_a_preset_that_train_takes(make_search: MakeSearch, tmp_path: Path):
    search = make_search()
    best = run_search(search, tmp_path, budget=6)
    assert best == tmp_path / "best.json"
    found = [row for row in rows(tmp_path) if row["status"] == "completed"]
    expected = max(found, key=lambda row: float(row["weighted_accuracy"]))
    given = argparse.Namespace(preset=str(best), set=[], epochs=None, no_attention=False)
    preset = options.preset(given)
    assert preset.architecture.recognition_units == int(expected["recognition_units"])
    assert preset.optimization.learning_rate == float(expected["learning_rate"])
    assert preset.optimization.epochs == int(expected["epochs"]) == 10
    assert preset.name == f"{presets.RAVDESS.name}-tuned"
    assert preset.features == search.run.preset.features


@pytest.mark.usefixtures("begun")
def test_scores_are_means_over_folds(make_search: MakeSearch, tmp_path: Path):
    search = make_search(prune=False)
    run_search(search, tmp_path, budget=4)
    for row in rows(tmp_path):
        preset = search.run.preset.with_settings(
            {parameter.name: row[parameter.name] for parameter in SPACE.parameters}
        )
        by_fold = [formula(preset, 1), formula(preset, 2)]
        assert float(row["weighted_accuracy_fold_1"]) == pytest.approx(by_fold[0])
        assert float(row["weighted_accuracy"]) == pytest.approx(sum(by_fold) / 2)
        assert row["epochs_trained"] == "20"


def test_trials_far_behind_are_stopped_after_their_first_fold(
    make_search: MakeSearch, begun: Begun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(
        "ser_keras.tuning.tuner.should_prune", lambda one, best, _: one < best - 0.05
    )
    search = make_search()
    run_search(search, tmp_path, budget=12)
    found = rows(tmp_path)
    stopped = [row for row in found if row["status"] != "completed"]
    assert 0 < len(stopped) < 12
    assert {row["status"] for row in stopped} == {"stopped after fold 1"}
    assert len(begun) == 24 - len(stopped)
    best = max(
        (row for row in found if row["status"] == "completed"),
        key=lambda row: float(row["weighted_accuracy"]),
    )
    for row in stopped:
        assert row["weighted_accuracy_fold_2"] == ""
        assert float(row["weighted_accuracy"]) < float(best["weighted_accuracy"])


@pytest.mark.usefixtures("begun")
def test_all_trials_use_the_recordings_that_fit_the_shortest_silence(
    make_search: MakeSearch, tmp_path: Path
):
    """With silence behind them, more recordings are as long as a window than without."""
    search = make_search(
        seed=3, space=Space.from_dict("silent", {"trailing_silence": {"values": [0.0, 2.0]}})
    )
    base = search.run.preset.with_settings({"window": 2.85, "trailing_silence": 2.0})
    search = dataclasses.replace(search, run=dataclasses.replace(search.run, preset=base))
    run_search(search, tmp_path, budget=2)
    assert {row["trailing_silence"] for row in rows(tmp_path)} == {"0.0", "2.0"}
    told = json.loads((tmp_path / "search.json").read_text())
    assert told["left_out"] > 0
    assert told["utterances"] > 0


def test_a_larger_budget_adds_to_the_trials_that_are_there(
    make_search: MakeSearch, begun: Begun, tmp_path: Path
):
    search = make_search(prune=False)
    run_search(search, tmp_path, budget=3)
    before = without_time(tmp_path)
    run_search(search, tmp_path, budget=5)
    assert without_time(tmp_path)[:3] == before
    assert len(begun) == 10
    run_search(search, tmp_path, budget=5)
    assert len(begun) == 10


def test_no_trial_begins_after_the_hours_given(
    make_search: MakeSearch, begun: Begun, tmp_path: Path
):
    run_search(make_search(), tmp_path, hours=0.5 / 3600)
    count = len(rows(tmp_path))
    assert count >= 1
    time.sleep(0.1)
    begun.clear()
    run_search(make_search(), tmp_path, budget=count)
    assert not begun


@pytest.mark.usefixtures("begun")
@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"algorithm": "bayesian"}, "algorithm 'random' instead of 'bayesian'"),
        ({"prune": False}, "prune True instead of False"),
        ({"protocol": {"patience": 7}}, "protocol.patience 50 instead of 7"),
        ({"seed": 3}, "run.seed 0 instead of 3"),
        (
            {"space": FROM_WHOLE_ZERO},
            "found another search (space.settings.recognition_dropout.low 0.0 instead of 0)",
        ),
    ],
)
def test_another_search_in_the_same_folder_is_refused(
    change: dict[str, Any], named: str, make_search: MakeSearch, tmp_path: Path
):
    run_search(make_search(), tmp_path, budget=1)
    with pytest.raises(ConfigurationError) as refusal:
        run_search(make_search(**change), tmp_path, budget=1)
    assert named in str(refusal.value)


def test_a_failed_trial_is_reported_and_others_go_on(
    make_search: MakeSearch,
    begun: Begun,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    class Failing(FormulaTrainer):
        def fold(self, training: Any, held_out: Any) -> Any:
            if len(begun) == 2:
                begun.append(("failed", 0))
                raise MemoryError("no room for the second trial")
            return super().fold(training, held_out)

    monkeypatch.setattr(tuner_module, "FoldTrainer", Failing)
    run_search(make_search(prune=False), tmp_path, budget=3)
    assert [row["status"] for row in rows(tmp_path)] == ["completed", "failed", "completed"]
    assert rows(tmp_path)[1]["weighted_accuracy"] == ""
    assert "trial 2 failed: MemoryError: no room" in capsys.readouterr().err


def test_three_failures_in_a_row_end_the_search(
    make_search: MakeSearch, begun: Begun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def fail(self: Any, training: Any, held_out: Any) -> Any:
        raise MemoryError("no room at all")

    with monkeypatch.context() as failing:
        failing.setattr(FormulaTrainer, "fold", fail)
        with pytest.raises(SearchError, match=r"three trials in a row failed.*no room at all"):
            run_search(make_search(), tmp_path, budget=9)
    assert [row["status"] for row in rows(tmp_path)] == ["failed"] * 3
    # Once there is room, the same command goes on.
    run_search(make_search(), tmp_path, budget=5)
    assert [row["status"] for row in rows(tmp_path)] == ["failed"] * 3 + ["completed"] * 2


def tune(manifest: Path, out: Path, tiny_settings: dict[str, Any], *more: str) -> list[str]:
    space = out.parent / "space.toml"
    space.write_text("recognition_units = { values = [4, 6, 8] }\n")
    return [
        *(sys.executable, "-m", "ser_keras", "tune"),
        *("--corpus", "manifest", "--data", str(manifest), "--space", str(space)),
        *("--folds", "2", "--budget", "3", "--out", str(out), "--no-prune"),
        *(word for key, value in tiny_settings.items() for word in ("--set", f"{key}={value}")),
        *more,
    ]


def test_a_process_killed_in_the_middle_of_a_trial_repeats_that_trial_alone(
    manifest: Path, tmp_path: Path, tiny_settings: dict[str, Any]
):
    out = tmp_path / "search"
    command = tune(manifest, out, tiny_settings)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        told = []
        for line in process.stderr:
            told.append(line)
            if line.startswith("tune: trial 2 of 3: fold 1"):
                process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL, "".join(told)
    before = rows(out)
    assert [row["status"] for row in before] == ["completed"]
    running = next(line for line in told if line.startswith("tune: trial 2 of 3: recognition"))

    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert again.stdout == f"{out / 'best.json'}\n"
    assert "1 trials ended in earlier calls" in again.stderr
    assert "trial 1 of" not in again.stderr
    assert running in again.stderr  # the same settings, from the beginning
    assert rows(out)[:1] == before
    assert [row["status"] for row in rows(out)] == ["completed"] * 3
    assert {row["recognition_units"] for row in rows(out)} == {"4", "6", "8"}
