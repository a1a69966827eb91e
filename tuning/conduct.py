"""A search from its beginning to its report; called again after a kill, it goes on."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc

from ser_keras import provenance
from ser_keras.corpora import splits
from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import ConfigurationError, SerKerasError
from ser_keras.evaluation import report
from ser_keras.files import output_folder, write_json
from ser_keras.training.run import split_corpus
from ser_keras.tuning import comparison, distribution, oracles, trials
from ser_keras.tuning.progress import Progress
from ser_keras.tuning.report import tuning_report
from ser_keras.tuning.search import Material, Search, SearchTuner, fingerprint, number, prepare

SEARCH_FILE = "search.json"
SPLIT_FILE = "split.csv"
REPORT_FILE = "report.html"
TEST_FOLDER = "test"


class SearchFailed(SerKerasError):
    """No trial could be brought to an end."""


def search(
    what: Search,
    out: Path,
    budget: int | None = None,
    hours: float | None = None,
    address: str | None = None,
    lost_after: float = oracles.LOST_AFTER,
    test_seeds: int = 0,
) -> Path:
    """Search, or go on where a killed call with the same arguments stopped.

    Args:
        what: to search.
        out: folder for `search.json`, `split.csv`, `trials/` (KerasTuner's state), `trials.csv`,
            `best.json`, `report.html` and TensorBoard's logs.
        budget: trials at most, those of earlier calls included; None for no limit.
        hours: no trial begins later than this from now; None for no limit.
        address: HOST:PORT where workers come for trials; None to run them here.
        lost_after: seconds without a word after which a worker is given up.
        test_seeds: train the best and the preset with so many seeds and evaluate them on the test
            part; 0 leaves the test part alone.

    Returns:
        The file with the best preset.

    Raises:
        ConfigurationError: the space holds an impossible preset, or the folder another search.
        CorpusError: the corpus is empty, or an emotion is missing from a fold.
        SearchFailed: no trial ended well, or three in a row failed.
        OutputError: the folder cannot be written to.
    """
    out = output_folder(out)
    parts = split_corpus(what.run)
    material = prepare(what, parts["train"])
    oracle = _oracle(what, budget)
    # Only what can be searched claims the folder.
    _claim(out, what, material, parts)
    deadline = None if hours is None else time.monotonic() + 3600 * hours
    if address is not None:
        distribution.set_environment("chief", address)
    oracle.deadline, oracle.lost_after, oracle.patient = deadline, lost_after, address is not None
    progress = Progress(what, budget, deadline)

    def ended(trial: Any) -> None:
        found = trials.rows(what, oracle.trials.values())
        trials.write(what, found, out)
        row = next(row for row in found if row["trial"] == number(trial))
        trials.write_hparams(what, row, out)
        progress.ended(row, found)

    oracle.on_begin, oracle.on_end = progress.begun, ended
    tuner = _tuner(what, material, oracle, out, progress)
    if oracle.end_order:
        print(f"tune: {len(oracle.end_order)} trials ended in earlier calls", file=sys.stderr)
    if budget is None or len(oracle.end_order) < budget:
        tuner.search() if address is None else distribution.serve(oracle, address)
    if oracle.gave_up is not None:
        reason = oracle.gave_up.strip() or "what its worker told"
        raise SearchFailed(
            f"three trials in a row failed, the last with: {reason.splitlines()[-1]}"
        )
    return _conclude(what, out, oracle, parts, test_seeds)


def work(what: Search, address: str, wait: float = distribution.WAIT) -> None:
    """Run trials of a chief's search until there is none left.

    Args:
        what: the same search as the chief's.
        address: HOST:PORT of the chief.
        wait: seconds until it must answer.

    Raises:
        ConfigurationError: the space holds an impossible preset.
        CorpusError: the corpus is not that of the chief.
        ChiefGone: no chief answers, or it is gone.
    """
    material = prepare(what, split_corpus(what.run)["train"])
    distribution.set_environment("worker", address)
    distribution.wait_for_chief(address, wait)
    progress = Progress(what, None, None)
    with tempfile.TemporaryDirectory() as folder:
        tuner = _tuner(what, material, _oracle(what, None), Path(folder), progress)
        try:
            tuner.search()
        except grpc.RpcError as error:
            told = error.details() if isinstance(error, grpc.Call) else error
            raise distribution.ChiefGone(f"the chief at {address}: {told}") from error


def _oracle(what: Search, budget: int | None) -> Any:
    protocol = what.protocol
    epochs = what.run.preset.optimization.epochs
    return oracles.make(what.algorithm, protocol.objective, protocol.seed, budget, epochs)


def _tuner(
    what: Search, material: Material, oracle: Any, folder: Path, progress: Progress
) -> SearchTuner:
    # KerasTuner tells standard output, which is for results, what it goes on from.
    with contextlib.redirect_stdout(io.StringIO()):
        return SearchTuner(what, material, oracle, folder, progress.told)


def _conclude(
    what: Search, out: Path, oracle: Any, parts: Mapping[str, Corpus], test_seeds: int
) -> Path:
    """Write the result files once more, and the report."""
    found = trials.rows(what, oracle.trials.values())
    trials.write(what, found, out)
    best = trials.best(what, found)
    if best is None:
        raise SearchFailed(
            f"no trial ran all {what.protocol.folds} folds; {out / trials.TRIALS_FILE} has what "
            "became of each"
        )
    compared = None
    if test_seeds:
        table = comparison.write_parts(parts["train"], parts["test"], out)
        preset = trials.best_preset(what, best)
        folder = out / TEST_FOLDER
        compared = comparison.compare(
            preset, what.run.preset, best["trial"], table, test_seeds, folder
        )
    told = {"versions": provenance.versions(), "git": provenance.git_state()}
    report.write(out / REPORT_FILE, tuning_report(what, found, told, compared))
    return out / trials.BEST_FILE


def _claim(out: Path, what: Search, material: Material, parts: Mapping[str, Corpus]) -> None:
    """Write what is searched, or make sure that the folder holds the same search.

    Raises:
        ConfigurationError: it holds another; the message names every difference.
    """
    path = out / SEARCH_FILE
    # As JSON has it: a tuple has become a list.
    wanted = json.loads(json.dumps(what.to_dict()))
    name = fingerprint(what, material)
    if not path.exists():
        splits.write(out / SPLIT_FILE, parts)
        write_json(
            path,
            {
                "search": wanted,
                "fingerprint": name,
                "utterances": len(material.corpus),
                "left_out": material.left_out,
                "versions": provenance.versions(),
                "git": provenance.git_state(),
            },
        )
        return
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        differences = _differences(kept["search"], wanted)
        same_corpus = kept["fingerprint"] == name
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{path}: not the description of a search ({error})") from error
    if not differences and not same_corpus:
        differences = [f"{kept['utterances']} utterances instead of {len(material.corpus)} others"]
    if differences:
        raise ConfigurationError(
            f"output folder {out}: found another search ({'; '.join(differences)}); expected this "
            "one or an empty folder"
        )


def _differences(found: Any, wanted: Any, name: str = "") -> list[str]:
    if isinstance(found, dict) and isinstance(wanted, dict):
        return [
            difference
            for key in sorted({*found, *wanted})
            if (name, key) != ("run", "data")  # where it lies may have changed
            for difference in _differences(
                found.get(key), wanted.get(key), f"{name}.{key}" if name else key
            )
        ]
    # As text: 0 and 0.0 are equal, but whole ends of a range give other trials.
    same = json.dumps(found) == json.dumps(wanted)
    return [] if same else [f"{name} {found!r} instead of {wanted!r}"]
