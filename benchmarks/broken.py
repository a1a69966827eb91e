"""Recognition of thousands of recordings, one in a hundred broken: is anything else lost?

    python -m benchmarks.broken --recordings 10000 --out OUT

`ser-keras predict` and `ser-keras batch` with two worker processes answer the same made-up WAV
files, and then `batch` once more, of which a worker is killed after half of the time that it took
before. Counted are answers and dead letters, those of `batch` that are missing, double or others
than those of `predict`, and how far its numbers differ. Left in OUT: `broken.json` and `broken.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import scale
from benchmarks.outcome import leave
from ser_keras import provenance

EVERY = 100  # recordings, of which one is broken
LEFT = {"empty": 0, "half a header": 20, "a header alone": 44}  # bytes
WAYS = ("predict", "batch 2", "batch 2, a worker killed")
_WORKER = b"apache_beam.runners.worker.sdk_worker_main"

Lines = dict[str, list[dict[str, Any]]]  # by file


def recordings(folder: Path, count: int) -> dict[str, str]:
    """Make so many recordings, of which one in `EVERY` is broken; return how, by file."""
    kinds = [*LEFT, "text"]
    broken: dict[str, str] = {}
    paths = list(scale.recordings(folder, count))
    for path in paths[EVERY // 2 :: EVERY]:
        kind = kinds[len(broken) % len(kinds)]
        content = b"no sound" if kind == "text" else path.read_bytes()[: LEFT[kind]]
        path.unlink()  # of a link, the others stay
        path.write_bytes(content)
        broken[str(path)] = kind
    return broken


def run(way: str, model: Path, folder: Path, out: Path, kill_after: float | None) -> float:
    """Answer all recordings, and kill a worker if asked to; return the seconds that it took."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as log:
        words = scale.command(way, model, folder, out)
        process = subprocess.Popen(words, stdout=log, stderr=log)
        if kill_after is not None:
            time.sleep(kill_after)
            os.kill(next(workers(process.pid)), signal.SIGKILL)
        if process.wait() != 1:  # some cannot be used
            log.seek(0)
            raise RuntimeError(log.read().decode("utf-8", "replace")[-3000:])
    return time.monotonic() - began


def workers(process: int) -> Iterator[int]:
    """Yield the worker processes of Beam that a process has."""
    for each in scale.family(process):
        if _WORKER in Path(f"/proc/{each}/cmdline").read_bytes().split(b"\0"):
            yield each


def read(paths: Iterable[Path]) -> Lines:
    """Return the lines of some files, by the file that each is about."""
    found: Lines = defaultdict(list)
    for path in paths:
        for line in path.read_text("utf-8").splitlines():
            found[json.loads(line)["file"]].append(json.loads(line))
    return found


def compare(found: Lines, expected: Lines) -> dict[str, Any]:
    """Count what of the lines is not as expected, and return how far numbers differ, by field."""
    differences: dict[str, float] = defaultdict(float)
    others = 0
    for file, (line,) in expected.items():
        for ours in found.get(file, ())[:1]:
            others += not _alike(ours, line, differences)
    return {
        "missing": len(expected.keys() - found.keys()),
        "not asked for": len(found.keys() - expected.keys()),
        "double": sum(len(each) > 1 for each in found.values()),
        "others": others,
        "differences": dict(differences),
    }


def _alike(one: Any, other: Any, differences: dict[str, float], field: str = "") -> bool:
    """Return whether values are the same but for numbers, whose differences are kept."""
    if isinstance(other, dict):
        return one.keys() == other.keys() and all(
            _alike(one[name], value, differences, field if field == "probabilities" else name)
            for name, value in other.items()
        )
    if isinstance(other, list):
        return len(one) == len(other) and all(
            _alike(*each, differences, field) for each in zip(one, other, strict=True)
        )
    if isinstance(other, float) and isinstance(one, float):
        differences[field] = max(differences[field], abs(one - other))
        return True
    return one == other


def numberless(reason: str) -> str:
    """Return a reason that is the same for files of any length."""
    return re.sub(r"\d\d+", "N", reason)


def measure(out: Path, name: str, count: int) -> dict[str, Any]:
    """Return the content of `broken.json`."""
    scratch = out / "scratch"
    models, folder, results = scale.exported(name, scratch), scratch / "recordings", scratch / "out"
    broken = recordings(folder, count)
    rows: list[dict[str, Any]] = []
    for way in WAYS:
        shutil.rmtree(results / way, ignore_errors=True)
        (results / way).mkdir(parents=True)
        kill_after = rows[-1]["seconds"] / 2 if "killed" in way else None
        plain = way.partition(",")[0]
        took = run(plain, models[plain], folder, results / way / "answers", kill_after)
        if way == "predict":
            lines = read((results / way).glob("*"))
            dead = {file: each for file, each in lines.items() if "error" in each[0]}
            expected = {file: each for file, each in lines.items() if file not in dead}
            answers, letters = expected, dead
        else:
            letters = read((results / way).glob("answers-failed-*"))
            answers = read((results / way).glob("answers-[0-9]*"))
        rows.append(
            {
                "way": way,
                "seconds": took,
                "answers": sum(map(len, answers.values())),
                "dead_letters": sum(map(len, letters.values())),
                "broken_as_made": letters.keys() == broken.keys(),
                "of_answers": compare(answers, expected),
                "of_dead_letters": compare(letters, dead),
            }
        )
        print(rows[-1], file=sys.stderr, flush=True)
    reasons = Counter((kind, numberless(dead[file][0]["error"])) for file, kind in broken.items())
    shutil.rmtree(scratch)
    return {
        "model": name,
        "recordings": count,
        "rows": rows,
        "reasons": [[*each, many] for each, many in sorted(reasons.items())],
        "versions": provenance.versions(),
        "git": provenance.git_state(),
    }


def markdown(found: dict[str, Any]) -> str:
    """Format the content of `broken.json`."""
    lines = [
        "| by | answers | dead letters | missing | double | others than of `predict` | "
        "probabilities differ by |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in found["rows"]:
        both = row["of_answers"], row["of_dead_letters"]
        missing, double, others, more = (
            sum(each[what] for each in both)
            for what in ("missing", "double", "others", "not asked for")
        )
        differ = row["of_answers"]["differences"].get("probabilities", 0.0)
        lines.append(
            f"| {row['way']} | {row['answers']:,} | {row['dead_letters']:,} | {missing} | {double} "
            f"| {others + more} | {differ:.1g} |"
        )
    lines += ["", "| broken | reason | dead letters |", "| --- | --- | ---: |"]
    lines += [f"| {kind} | {reason} | {many} |" for kind, reason, many in found["reasons"]]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.broken", description=__doc__)
    parser.add_argument("--model", default="tiny", metavar="RUN|FILE.keras|PRESET")
    parser.add_argument("--recordings", type=int, default=10_000, metavar="N")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    options = parser.parse_args(arguments)
    return leave(
        "broken", options.out, lambda out: measure(out, options.model, options.recordings), markdown
    )


if __name__ == "__main__":
    sys.exit(main())
