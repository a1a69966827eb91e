"""A chief and workers on loopback, real processes; a formula replaces training alone."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from keras_tuner.src.engine.trial import Trial, TrialStatus

from ser_keras.errors import ConfigurationError
from ser_keras.training.run import split_corpus
from ser_keras.tuning import distribution
from ser_keras.tuning import run as run_module
from ser_keras.tuning import tuner as tuner_module
from ser_keras.tuning.oracles import make_oracle
from ser_keras.tuning.run import run_search
from ser_keras.tuning.search import Search, SearchError
from ser_keras.tuning.tuner import SearchTuner
from tests.tuning.conftest import FormulaTrainer

BUDGET = 5

# A program that is a chief or a worker, with a stand-in for training that takes 0.3 s a fold.
# argv: search as JSON, role, address, folder; the chief's budget or the worker's task.
PROCESS = """
import json, os, sys, time
from pathlib import Path
from ser_keras.training.run import TrainingRun
from ser_keras.tuning import run as run_module, tuner as tuner_module
from ser_keras.tuning.cross_validation import Protocol
from ser_keras.tuning.search import Search
from ser_keras.tuning.spaces import Space
from tests.tuning.conftest import FormulaTrainer

told, role, address, out, task = sys.argv[1:]
told = json.loads(told)
search = Search(
    run=TrainingRun.from_dict(told["run"]),
    space=Space.from_dict(told["space"]["name"], told["space"]["settings"]),
    protocol=Protocol(**told["protocol"]),
    prune=told["prune"],
)

class Trainer(FormulaTrainer):
    begun = []
    def fold(self, training, held_out):
        if task == "hang" and self._fold == 1:
            print("hanging", flush=True)
            time.sleep(600)
        if task == "fail":
            raise MemoryError("no room on this machine")
        time.sleep(0.3)
        return super().fold(training, held_out)

tuner_module.FoldTrainer = Trainer
tuner_module.HEARTBEAT_EVERY = 0.5
if role == "chief":
    run_module.tuning_report = lambda *_: ""
    options = {"address": address, "lost_after": 6.0}
    print(run_module.run_search(search, Path(out), budget=int(task), **options))
else:
    run_module.run_worker(search, address, wait=120.0)
    print("done")
"""


@pytest.fixture
def start(tmp_path: Path, cache_directory: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a chief or a worker; all are ended with the test."""
    with contextlib.ExitStack() as running:

        def begin(search: Search, role: str, address: str, task: str) -> subprocess.Popen[str]:
            out = str(tmp_path / "search")
            words = [sys.executable, "-c", PROCESS, json.dumps(search.to_dict()), role, address]
            process = subprocess.Popen(
                [*words, out, task],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                cwd=Path(__file__).parents[2],
                env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
            )
            running.callback(process.communicate)
            running.callback(process.kill)
            return process

        yield begin


def test_a_killed_workers_trial_is_run_again_by_another(
    start: Callable[..., subprocess.Popen[str]],
    make_search: Callable[..., Search],
    address: str,
    tmp_path: Path,
):
    search = make_search(prune=False)
    chief = start(search, "chief", address, str(BUDGET))
    lost = start(search, "worker", address, "hang")
    assert lost.stdout is not None
    assert lost.stdout.readline() == "hanging\n", lost.communicate()[1]
    lost.send_signal(signal.SIGKILL)
    other = start(search, "worker", address, "work")
    answer, told = other.communicate(timeout=120)
    assert answer == "done\n", told
    best, told = chief.communicate(timeout=60)
    assert best == f"{tmp_path / 'search' / 'best.json'}\n", told
    assert chief.returncode == 0
    assert "trial 1 is run again" in told

    with (tmp_path / "search" / "trials.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    assert [row["trial"] for row in found] == [str(number + 1) for number in range(BUDGET)]
    assert {row["status"] for row in found} == {"completed"}
    assert told.count("trial 1 of 5: weighted_accuracy") == 1
    # The values drawn do not depend on the process that runs the trial.
    here = tmp_path / "here"
    _search_here(search, here)
    with (here / "trials.csv").open(newline="") as file:
        alone = list(csv.DictReader(file))
    for row, other_row in zip(found, alone, strict=True):
        for key in row:
            if key != "seconds":
                assert row[key] == pytest.approx(other_row[key]) or float(
                    row[key]
                ) == pytest.approx(float(other_row[key]), rel=1e-5), key


def test_three_failures_in_a_row_end_a_chief_and_its_workers(
    start: Callable[..., subprocess.Popen[str]],
    make_search: Callable[..., Search],
    address: str,
    tmp_path: Path,
):
    search = make_search(prune=False)
    chief = start(search, "chief", address, "9")
    worker = start(search, "worker", address, "fail")
    answer, told = worker.communicate(timeout=120)
    assert answer == "done\n", told
    assert told.count("failed: MemoryError: no room on this machine") == 3
    _, told = chief.communicate(timeout=60)
    assert chief.returncode != 0
    assert "SearchError: three trials in a row failed" in told
    with (tmp_path / "search" / "trials.csv").open(newline="") as file:
        assert [row["status"] for row in csv.DictReader(file)] == ["failed"] * 3


def test_a_trial_that_runs_when_a_search_gives_up_is_kept(
    make_search: Callable[..., Search], tmp_path: Path
):
    search = make_search()
    oracle = make_oracle(search, 9)
    ended: list[Trial] = []
    oracle.on_end = ended.append
    SearchTuner(search, search.prepare(split_corpus(search.run)["train"]), oracle, tmp_path)
    good = oracle.create_trial("worker-1")
    for _ in range(3):
        failing = oracle.create_trial("worker-2")
        failing.status = TrialStatus.INVALID
        oracle.end_trial(failing)
    assert oracle.create_trial("worker-2").status == TrialStatus.IDLE
    assert not oracle.finished
    oracle.update_trial(good.trial_id, {"weighted_accuracy": 0.5})
    good.status = TrialStatus.COMPLETED
    oracle.end_trial(good)
    assert [trial.status for trial in ended] == ["FAILED"] * 3 + ["COMPLETED"]
    for worker in ("worker-1", "worker-2"):
        assert oracle.create_trial(worker).status == TrialStatus.STOPPED
    assert oracle.finished


def _search_here(search: Search, out: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        FormulaTrainer.begun = []
        patch.setattr(tuner_module, "FoldTrainer", FormulaTrainer)
        patch.setattr(run_module, "tuning_report", lambda *_: "")
        run_search(search, out, budget=BUDGET)


def test_a_worker_of_another_search_is_refused(make_search: Callable[..., Search], tmp_path: Path):
    """Chief and worker are given the same command; a slip must not mix two searches."""
    theirs, mine = make_search(), make_search(protocol={"patience": 7})
    training = split_corpus(mine.run)["train"]
    oracle = make_oracle(theirs, 5)
    chief = SearchTuner(theirs, theirs.prepare(training), oracle, tmp_path)
    trial = chief.oracle.create_trial("worker-1")
    worker = SearchTuner(
        mine,
        mine.prepare(training),
        make_oracle(mine, 5),
        tmp_path / "worker",
    )
    with pytest.raises(SearchError, match="other options than its chief"):
        worker.run_trial(trial)


def test_a_worker_without_a_chief_gives_up(address: str):
    began = time.monotonic()
    with pytest.raises(SearchError, match=address):
        distribution.wait_for_chief(address, seconds=0.5)
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("wrong", ["chief", "chief:", ":8500", "chief:port", "chief:0", "a:70000"])
def test_a_malformed_address_is_refused(wrong: str):
    with pytest.raises(ConfigurationError, match="HOST:PORT"):
        distribution.set_environment("worker", wrong)


def test_an_address_that_is_taken_is_refused():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ConfigurationError, match=address):
            distribution.serve(_Oracle(), address)


class _Oracle:
    finished = True
    tuner_ids: tuple[str, ...] = ()


def test_a_host_named_chief_is_not_taken_for_one(monkeypatch: pytest.MonkeyPatch):
    for name in ("KERASTUNER_TUNER_ID", "KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT"):
        monkeypatch.setenv(name, "")
    monkeypatch.setattr(socket, "gethostname", lambda: "the-chief-of-all")
    distribution.set_environment("worker", "there:8500")
    assert "chief" not in os.environ["KERASTUNER_TUNER_ID"]
    distribution.set_environment("chief", "here:8500")
    assert os.environ["KERASTUNER_TUNER_ID"] == "chief"
    assert os.environ["KERASTUNER_ORACLE_IP"] == "here"
    assert os.environ["KERASTUNER_ORACLE_PORT"] == "8500"
