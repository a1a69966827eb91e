"""A search from its beginning to its report; called again after a kill, it goes on."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc

from ser_keras import provenance
from ser_keras.corpora import splits
from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import ConfigurationError
from ser_keras.evaluation import report
from ser_keras.files import output_folder, write_json
from ser_keras.training.run import split_corpus, without_data
from ser_keras.tuning import comparison, distribution
from ser_keras.tuning.oracles import LOST_AFTER, make_oracle
from ser_keras.tuning.progress import Progress
from ser_keras.tuning.report import tuning_report
from ser_keras.tuning.search import Search, SearchError
from ser_keras.tuning.trials import BEST_FILE, TRIALS_FILE, TrialTable
from ser_keras.tuning.tuner import SearchTuner


def run_search(
    search: Search,
    out: Path,
    budget: int | None = None,
    hours: float | None = None,
    address: str | None = None,
    lost_after: float = LOST_AFTER,
    test_seeds: int = 0,
) -> Path:
    """Search, or resume where a killed call with the same arguments stopped.

    Args:
        search: what to search.
        out: folder for `search.json`, `split.csv`, `trials/` (KerasTuner's state), `trials.csv`,
            `best.json`, `report.html` and TensorBoard's logs.
        budget: the most trials, those of earlier calls included; None for no limit.
        hours: no trial begins later than this from now; None for no limit.
        address: HOST:PORT where workers ask for trials; None to run them here.
        lost_after: seconds without a heartbeat after which a worker is given up.
        test_seeds: train the best preset and the search's own with this many seeds and evaluate
            both on the test subset; 0 leaves the test subset alone.

    Returns:
        The file with the best preset.

    Raises:
        ConfigurationError: the space holds an impossible preset, or the folder another search.
        CorpusError: the corpus is empty, or an emotion is missing from a fold.
        SearchError: no trial was completed, or three in a row failed.
        OutputError: the folder cannot be written to.

    Example:
        >>> from ser_keras.training.run import TrainingRun
        >>> run_search(Search(TrainingRun("ravdess", "nowhere")), Path("search"), budget=12)
        Traceback (most recent call last):
        ser_keras.errors.CorpusError: ...
    """
    out = output_folder(out)
    subsets = split_corpus(search.run)
    corpus = search.prepare(subsets["train"])
    oracle = make_oracle(search, budget)
    # Only a search that can run claims the folder.
    _claim(out, search, corpus, subsets)
    deadline = None if hours is None else time.monotonic() + 3600 * hours
    if address is not None:
        distribution.set_environment("chief", address)
    oracle.deadline, oracle.lost_after = deadline, lost_after
    oracle.keep_workers = address is not None
    progress = Progress(search, budget, deadline)

    def on_end(trial: Any) -> None:
        table = TrialTable(search, oracle.trials.values())
        table.write(out)
        table.write_hparams(table.row(trial), out)
        progress.ended(trial, table)

    oracle.on_begin, oracle.on_end = progress.begun, on_end
    tuner = SearchTuner(search, corpus, oracle, out, progress.say)
    ended = len(oracle.end_order)
    if ended:
        print(f"tune: {ended} trials ended in earlier calls", file=sys.stderr)
    if budget is None or ended < budget:
        tuner.search() if address is None else distribution.serve(oracle, address)
    oracle.save()  # again, lest the last trial is left as running by a kill right after its end
    if oracle.failure is not None:
        reason = (oracle.failure.strip() or "the error that its worker printed").splitlines()[-1]
        raise SearchError(f"three trials in a row failed, the last with: {reason}")
    return _conclude(TrialTable(search, oracle.trials.values()), out, subsets, test_seeds)


def run_worker(search: Search, address: str, wait: float = distribution.WAIT) -> None:
    """Run trials of a chief's search until none is left.

    It raises what `run_search` does, and SearchError also where no chief answers within `wait`
    seconds, it is gone, or it runs another search.

    Example:
        >>> from ser_keras.training.run import TrainingRun
        >>> run_worker(Search(TrainingRun("synthetic")), address="chief-host")
        Traceback (most recent call last):
        ser_keras.errors.ConfigurationError: --address: expected HOST:PORT, found 'chief-host'
    """
    distribution.set_environment("worker", address)
    corpus = search.prepare(split_corpus(search.run)["train"])
    distribution.wait_for_chief(address, wait)
    progress = Progress(search, None, None)
    with tempfile.TemporaryDirectory() as folder:
        oracle = make_oracle(search, None)  # KerasTuner asks the chief's in its place
        tuner = SearchTuner(search, corpus, oracle, Path(folder), progress.say)
        try:
            tuner.search()
        except grpc.RpcError as error:
            reason = error.details() if isinstance(error, grpc.Call) else error
            raise SearchError(f"the chief at {address}: {reason}") from error


def _conclude(table: TrialTable, out: Path, subsets: Mapping[str, Corpus], test_seeds: int) -> Path:
    """Write the result files once more, and the report."""
    table.write(out)
    if table.best is None:
        raise SearchError(
            f"search: expected a trial that ran all {table.search.protocol.folds} folds, found "
            f"none; {out / TRIALS_FILE} has the status of each"
        )
    compared = None
    if test_seeds:
        best, base = table.preset(table.best), table.search.run.preset
        compared = comparison.compare(best, base, table.best["trial"], subsets, test_seeds, out)
    versions = {"versions": provenance.versions(), "git": provenance.git_state()}
    report.write(out / "report.html", tuning_report(table, versions, compared))
    return out / BEST_FILE


def _claim(out: Path, search: Search, corpus: Corpus, subsets: Mapping[str, Corpus]) -> None:
    """Write the search's description, or refuse a folder that holds another search."""
    path = out / "search.json"
    # As JSON has it: a tuple becomes a list.
    wanted = json.loads(json.dumps(search.to_dict()))
    identity = search.fingerprint(corpus)
    if not path.exists():
        splits.write(out / "split.csv", subsets)
        description = {
            "search": wanted,
            "fingerprint": identity,
            "utterances": len(corpus),
            "left_out": len(subsets["train"]) - len(corpus),
            "versions": provenance.versions(),
            "git": provenance.git_state(),
        }
        write_json(path, description)
        return
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        for search_description in (kept["search"], wanted):  # the data may have been moved
            search_description["run"] = without_data(search_description["run"])
        differences = [*_differences(kept["search"], wanted)]
        if not differences and kept["fingerprint"] != identity:
            differences = [f"{kept['utterances']} utterances instead of {len(corpus)} others"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(
            f"{path}: expected the description of a search, found {error!r}"
        ) from error
    if differences:
        raise ConfigurationError(
            f"output folder {out}: expected this search or an empty folder, found another search "
            f"({'; '.join(differences)})"
        )


def _differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted({*found, *wanted}):
        kept, now = found.get(key), wanted.get(key)
        if isinstance(kept, dict) and isinstance(now, dict):
            yield from (f"{key}.{inner}" for inner in _differences(kept, now))
        # As text: 0 and 0.0 are equal, but whole ends of a range give other trials.
        elif repr(kept) != repr(now):
            yield f"{key} {kept!r} instead of {now!r}"
